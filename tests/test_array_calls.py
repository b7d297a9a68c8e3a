"""Calls that are run in both libraries: shapes, strides, types, values; refusals, their words."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import rushlight

# Names in an expression: t the library, x (2, 3, 4), z without dimensions, i [0, 1], p permuted.
# Of a refusal, the type counts, and the words up to a digit, a bracket or a quotation mark.
VIEWS = """
    z.size(0)  z.stride(0)  z.sum(1)  z.select(0,0)  z.narrow(0,0,1)  z.unbind(0)  z.split(1)
    z.chunk(2)  z.squeeze(0)  z.squeeze(1)  z.unsqueeze(2)  z.flip(0)  z.roll(1,0)  z.diagonal()
    z.unfold(0,1,1)  z.unfold(0,2,1)  z.flatten()  z.flatten(1)  z.movedim(0,0)  z.transpose(0,0)
    z.transpose(0,1)  x.H  x[0].H  x.mT  x[0,0].mT  x.adjoint()  x[0,0].adjoint()  x.movedim(0,5)
    x.movedim((0,1),(1,))  x.movedim((0,0),(1,2))  x.movedim((0,1),(2,2))  x.moveaxis(0,-1)
    x.swapaxes(0,5)  x.reshape_as(t.ones(4,6))  t.broadcast_tensors(x,t.ones(4),t.ones(3,1))
    t.broadcast_tensors(x,t.ones(5))  t.broadcast_shapes((2,1),(3,),1)
    t.broadcast_shapes((2,1),(3,),(4,))  t.broadcast_shapes((2,-1),(3,))  t.broadcast_shapes(5)
    t.broadcast_shapes()  x.expand(2,3,5)  x.expand(-1,2,3,4)  x.expand(-1,-1,-1)
    x.narrow(0,3,1)  x.narrow(0,0,5)  x.narrow(0,-1,1)  x.narrow(0,0,-1)  x.narrow(5,0,1)
    x.narrow(0,t.tensor(1),1)  x.narrow(0,t.tensor([1]),1)  x.narrow(0,t.tensor(1.),1)
    x.unfold(1,5,2)  x.unfold(1,2,0)  x.unfold(1,-1,1)  x.unfold(1,0,1)  x.unfold(7,0,1)
    x.diagonal(1)  x.diagonal(-7)  x.diagonal(0,0,0)  x.diagonal(0,-1,0)  x.diagonal(0,5,0)
    x.select(0,5)  x.select(5,0)  x.view(7)  x.view(-1,-1)  x.view(-2,12)  x.view(t.int32)
    x.view(t.float64).shape  t.ones(3).view(t.float64)  t.ones(4,2).t().view(t.float64)
    x.reshape(7)  x.reshape(shape=(4,6))  x.permute(0,1)  x.permute(0,0,1)  x.permute(0,1,5)
    x.flatten(2,1)  x.flatten(0,5)  x.unflatten(0,(1,3))  x.unflatten(0,())
    x.unflatten(0,(2,-1))  x.unflatten(5,(2,-1))  x.unflatten(0,(-1,3))  x.squeeze((0,0))
    x.squeeze(())  x[:1].squeeze((0,-3))  x.squeeze(5)  t.atleast_2d(z,x)  t.atleast_3d([z,x])
    t.tensor_split(x,0)  t.tensor_split(x,5,1)  t.tensor_split(x,(1,2),2)
    t.tensor_split(x,t.tensor(2),2)  t.tensor_split(x,t.tensor(2.),2)  t.tensor_split(z,2)
    t.tensor_split(x,(-1,7),2)  t.tensor_split(x,(2,1),2)  t.hsplit(x,3)  t.hsplit(x,2)
    t.hsplit(z,2)  t.vsplit(x[0,0],2)  t.vsplit(x,0)  t.dsplit(x[0],2)  t.dsplit(x,3)
    t.split_with_sizes(x,(1,1),1)  t.split_with_sizes(x,(4,-1),1)  t.split(x,2,5)  t.split(x,-1)
    x.dim_order()  p.dim_order()  x.is_set_to(x[:])  p.is_contiguous()  x[:0].stride()
    x[None].stride()  x[0:1,None].stride()  x.unsqueeze(1).stride()
"""
COPIES = """
    x.rot90()  t.rot90(x,1,(0,0))  t.rot90(x,1,(0,))  t.rot90(x[0,0])  t.rot90(x,-3,(0,5))
    t.flip(x,(0,0))  t.flip(x,(5,))  x.flip(0,1)  x.flip(())  t.flip(x,dims=(1,))
    t.fliplr(x[0,0])  t.flipud(z)  x.roll((1,2),(0,))  x.roll((1,2))  x.roll(())  x.roll(1,(0,1))
    x.roll(1,5)  z.roll(1)  x.repeat(2)  x.repeat(2,1,1)  x.repeat(2,-1,1)  x.repeat((2,0,1))
    z.repeat(3)  x.tile(2,1)  t.tile(x,(2,1,1,1,1))  t.repeat_interleave(t.tensor([1,2,3]))
    t.repeat_interleave(x,i,1)  t.repeat_interleave(t.tensor([1,-2,3]))
    t.repeat_interleave(t.tensor([[1,2]]))  t.repeat_interleave(x,t.tensor([2]),0)
    t.repeat_interleave(x,t.tensor([1,2]),0,output_size=4)  t.repeat_interleave(x,-1)
    t.repeat_interleave(x,2,7)  t.repeat_interleave(z,2)  t.tril(x[0,0])  t.triu(z)
    t.diag(x)  t.diag(z)  t.diagflat(z,1)  t.diag_embed(z)  t.diag_embed(x[0,0],0,0,0)
    t.diag_embed(x[0],1,0,2)  t.select_scatter(x,t.ones(4),0,0)
    t.select_scatter(x,t.ones(3,4),0,9)  t.slice_scatter(x,t.ones(3,4),0,0,1)
    t.slice_scatter(x,t.ones(1,3,4),0,0,2,0)  t.diagonal_scatter(x,t.ones(4,3))
    t.as_strided_scatter(x,t.ones(2),(2,),(3,))  t.as_strided_scatter(x,t.ones(3),(2,),(3,))
    t.as_strided_scatter(x,t.ones(2),(2,),(30,))  t.narrow_copy(x,3,0,1)  x.narrow_copy(0,3,1)
    t.transpose_copy(x,0,1)  t.diagonal_copy(x)  t.as_strided_copy(x,(2,),(1,))
    t.view_copy(x,t.int32)  t.unbind_copy(x)  t.split_copy(x,1)  t.squeeze_copy(x,0)
    t.cat([])  t.cat([x,z])  t.cat([z,z])  t.cat([x,x[0]])  t.cat([x,t.ones(0)])
    t.cat([t.ones(0),t.ones(0)])  t.cat([x,t.ones(0,3)])  t.cat([x,t.ones(2,2,4)])  t.cat([x,x],5)
    t.cat([x,x.double()])  t.cat([x,x.long()])  t.cat([t.ones(0).double(),x])  t.cat(x)
    t.cat((x,1))  t.cat([x,x],out=t.empty(0))  t.stack([])  t.stack([x,x[0]])  t.stack([x,x],4)
    t.stack(x)  t.stack([x,x],-4)  t.stack([x,x.double()])  t.hstack([])  t.hstack([z,z])
    t.vstack([z,z])  t.dstack([z,z])  t.column_stack([x[0,0],x[0].t()])  t.column_stack([z,z])
    t.concatenate([x,x],axis=1)  t.block_diag(x[0],z,t.arange(3))  t.block_diag(x)  t.block_diag()
    t.meshgrid(i,i,indexing='zz')  t.meshgrid(i,x.long(),indexing='ij')  t.meshgrid(indexing='ij')
    t.meshgrid(i,i.double(),indexing='ij')  t.meshgrid(z,x[0,0],indexing='xy')
    t.cartesian_prod(i)  t.cartesian_prod(x,i)  t.combinations(t.arange(4),3,True)
    t.combinations(t.arange(4),0)  t.combinations(x)  t.combinations(i,3)  t.combinations(i,-1)
    t.vander(t.arange(3))  t.vander(t.arange(3),5)  t.vander(t.arange(3),0)  t.vander(x)
"""
ELEMENTS = """
    t.gather(x,0,t.tensor([[[5]]]))  t.gather(x,0,t.tensor([[[-1]]]))  t.gather(x,0,t.tensor([5]))
    t.gather(x,0,t.zeros(1,4,1).long())  t.gather(x,0,t.zeros(1,3,1).int())
    t.gather(x,0,t.zeros(1,3,1))  t.gather(x,5,t.zeros(1,3,1).long())  t.gather(z,0,i[:1])
    t.gather(x,0,t.zeros(0,3,1).long())  t.gather(t.ones(3),0,t.tensor(1))
    t.gather(t.zeros(0),0,t.tensor([0]))  t.scatter(x,0,t.tensor([[[5]]]),1.)
    t.scatter(x,0,t.zeros(1,3,1),1.)  t.scatter(x,0,t.zeros(1,3,1).int(),1.)
    t.scatter(x,0,t.zeros(1,3,1).long(),t.ones(1,3,1).double())
    t.scatter(x,0,t.zeros(1,3,1).long(),t.ones(1,2,1))
    t.scatter(x,0,t.zeros(1,3).long(),t.ones(1,2,1))
    t.scatter(x,0,t.zeros(1,3,9).long(),t.ones(1,3,9))  t.scatter(x,0,t.zeros(1,3,1).long(),z)
    t.scatter(x,0,t.zeros(1,3,1).long(),t.ones(1,3,1),reduce='add')
    t.scatter(x,0,t.zeros(1,3,1).long(),t.ones(1,3,1),reduce='mean')
    t.scatter(x,0,t.ones(1,3,4).long(),3.,reduce='multiply')
    t.scatter_add(x,0,t.tensor([[[5]]]),t.ones(1,3,1))
    t.scatter_reduce(x,0,t.tensor([[[1]]]),t.ones(1,3,1),'add')
    t.scatter_reduce(x,0,t.zeros(0).long(),t.ones(1,3,1),'sum')
    t.scatter_reduce(i,0,t.zeros(2).long(),t.tensor([2,5]),'mean',include_self=False)
    t.scatter_reduce(i>0,0,i,i>0,'sum')  t.index_select(x,0,t.tensor([5]))
    t.index_select(x,0,t.tensor([-1]))  t.index_select(x,0,t.tensor([[1]]))
    t.index_select(x,0,t.tensor([1.]))  t.index_select(x,0,t.tensor(1))
    t.index_select(x,7,i)  t.index_select(z,0,i)  t.index_select(z,0,t.tensor([1]))
    t.index_add(x,0,t.tensor([5]),x[:1])  t.index_add(x,0,i[:1],t.ones(1,3,5))
    t.index_add(x,0,i,x[:1])  t.index_add(x,0,i,x.double())  t.index_add(x,0,i.double(),x)
    t.index_add(z,0,i[:1],t.tensor(2.))  t.index_add(x.long(),0,i,x.long(),alpha=1.5)
    t.index_copy(x,0,t.tensor([5]),x[:1])  t.index_copy(x,0,i[:1],t.ones(1,3,5))
    t.index_copy(x,0,i,x[:1])  t.index_copy(x,0,i,x.double())  t.index_copy(x,0,i.int(),x)
    t.index_copy(x,0,i[:1],x[0])  t.index_copy(t.ones(3),0,t.tensor(1),t.tensor(2.))
    t.index_fill(x,0,t.tensor([5]),1.)  t.index_fill(x,0,t.tensor([-1]),1.)
    t.index_fill(x,0,t.tensor([[1]]),1.)  t.index_fill(x,0,i.int(),1.)
    t.index_fill(x,0,i,t.tensor([1.]))  t.index_fill(x,0,i[:1],t.tensor(1.).double())
    t.index_fill(x.long(),0,i,1.5)  t.index_reduce(x,0,t.tensor([5]),x[:1],'prod')
    t.index_reduce(x,0,i,x,'sum')  t.index_reduce(x,0,i,x.double(),'prod')
    t.index_reduce(x.long(),0,i*0,x.long()*3,'mean')  t.take(x,t.tensor([[24]]))
    t.take(x,t.tensor([[-24]]))  t.take(x,t.tensor([1.]))  t.take(t.zeros(0),t.tensor([0]))
    t.put(x,t.tensor([24]),t.ones(1))  t.put(x,t.tensor([1]),t.ones(2))
    t.put(x,t.tensor([1]),t.ones(1).double())  t.put(x,t.tensor([1]).int(),t.ones(1))
    t.take_along_dim(x,t.tensor([[[-1]]]),0)  t.take_along_dim(x,t.tensor([[[1.]]]),0)
    t.take_along_dim(x,t.tensor([5]),0)  t.masked_fill(x,t.ones(5,2,3,4).bool(),1)
    t.masked_fill(x,t.ones(5).bool(),1)  x.masked_fill_(t.ones(5,2,3,4).bool(),1)
    t.masked_fill(x.long(),x>3,1.5)  t.masked_fill(x,x>3,t.ones(1))
    t.masked_fill(x.long(),x>3,t.tensor(1.5))  t.masked_fill(x>3,x>5,2)
    t.masked_fill(x.to(t.uint8),x>3,300)  t.masked_scatter(x,x>3,t.ones(3))
    t.masked_scatter(x,x>3,t.ones(33).double())  t.masked_scatter(x,x,t.ones(33))
    t.masked_scatter(x[0,0],x>3,t.ones(33))  t.masked_select(x,x)  t.masked_select(x,x[0]>3)
    t.masked_select(x,t.ones(5).bool())  t.nonzero(x>21,as_tuple=True)  t.nonzero(z)
    t.nonzero(z,as_tuple=True)  t.nonzero_static(x>21,size=1)  t.nonzero_static(x>21,size=-1)
    t.index_put(x,(i,),t.ones(3,5))  t.index_put(x,[i,None],z)  t.index_put(x,(i,),z.double())
    t.index_put(x,(i,i,i,i),z)  t.index_put(x,(i.int(),),z)  t.index_put(x,(t.tensor([9]),),z)
    t.index_put(x,i,z)  t.index_put(x,(x>3,),2.)
"""
CREATION = """
    t.arange(5.5)  t.arange(0,5,2)  t.arange(5,0,-1)  t.arange(0,5,0)  t.arange(0,5,-1)
    t.arange(0,float('inf'))  t.arange(float('nan'))  t.arange(True)  t.arange(start=1,end=4)
    t.arange(end=4)  t.arange(2.5,dtype=t.int64)  t.arange(0.5,3.5,dtype=t.int64)
    t.arange(t.tensor(3))  t.arange(3,dtype=t.bool)  t.range(0,3)  t.range(0,3,0.5)  t.range(3,0)
    t.linspace(0,1,5)  t.linspace(0,1,0)  t.linspace(2,1,1)  t.linspace(0,1,-1)
    t.linspace(0,10,7,dtype=t.int64)  t.linspace(0,1,5,dtype=t.bool)
    t.linspace(t.tensor(0.),t.tensor(1.),5)  t.linspace(t.tensor([0.]),1,5)  t.logspace(0,1,5,2)
    t.logspace(0,1,5,base=2,dtype=t.int64)  t.logspace(0,1,-5)  t.logspace(0,3,4,dtype=t.int32)
    t.eye(3)  t.eye(2,3)  t.eye(-1)  t.eye(2,-3)  t.eye(3,dtype=t.bool)  t.scalar_tensor(3)
    t.scalar_tensor(3.,dtype=t.int64)  t.zeros((2,3))  t.zeros(2,-3)  t.zeros(())  t.zeros()
    t.zeros(2.0)  t.zeros(size=(2,3))  t.zeros(2,3,out=t.empty(0))  t.zeros(2,layout=t.strided)
    t.empty(1,2,3,4,memory_format=t.channels_last).stride()
    t.empty(2,3,memory_format=t.channels_last)  t.empty(2,3,memory_format=t.preserve_format)
    t.empty(1,2,3,4,5,memory_format=t.channels_last_3d).stride()
    t.empty_strided((2,3),(1,2)).stride()  t.empty_strided((2,3),(1,))
    t.empty_strided((2,3),(-1,2))  t.empty_strided((2,3),(0,1)).stride()
    t.empty_permuted((2,3,4),(2,0,1)).stride()  t.empty_permuted((2,3,4),(2,0))
    t.empty_permuted((2,3,4),(2,0,0))  t.empty_permuted((2,3,4),(2,0,5))
    x.new_empty_strided((2,3),(1,2)).stride()  x.new_zeros(2,3,dtype=t.int64)  x.new_ones((2,))
    x.new_full((2,),True)  x.new([1,2])  x.new(2,3).shape  t.zeros_like(p)
    t.zeros_like(p,memory_format=t.contiguous_format)  t.zeros_like(x[:,::2].permute(2,0,1))
    t.zeros_like(x[:1].expand(5,3,4))  t.ones_like(x,dtype=t.int64)  t.full_like(x.long(),2.5)
    t.ones_like(t.ones(1,2,3,4),memory_format=t.channels_last)  t.full((2,),True)  t.full(2,1)
    t.full((2,),t.tensor(3.))  t.full((2,),t.tensor([3.]))  t.full((2,-1),3)  t.full((2,),1e300)
    t.full((2,),300,dtype=t.uint8)  t.full((2,),-1,dtype=t.uint8)  i.fill_(1.7)
    t.zeros(2,dtype=t.uint8).fill_(300)  p.clone()  p.clone(memory_format=t.contiguous_format)
    x[:,::2].permute(2,0,1).clone()  x.clone(memory_format=t.channels_last)
    t.ones(1,2,3,4).contiguous(memory_format=t.channels_last)
    t.ones(2,2,3,4).is_contiguous(memory_format=t.channels_last)
    t.ones(2,1,3,4).is_contiguous(memory_format=t.channels_last)
    x.is_contiguous(memory_format=t.channels_last)
    t.ones(2,2,3,4).to(t.float64,memory_format=t.channels_last)  p.to(t.float64)  p.double()
    x.to(t.float64,False,True)  x.contiguous(memory_format=t.preserve_format)
    t.contiguous_format  t.channels_last  x.layout  t.tril_indices(3,4,1)  t.triu_indices(3,4,-1)
    t.triu_indices(0,4)  t.tril_indices(-3,4)  t.tril_indices(3,4,dtype=t.float32)
    t.hann_window(5)  t.hann_window(5,periodic=False)  t.hann_window(0)  t.hann_window(1)
    t.hann_window(-1)  t.hamming_window(5,True,0.5,0.5)  t.bartlett_window(5)
    t.blackman_window(6)  t.kaiser_window(5,True,10.)
    t.signal.windows.hann(5,sym=False)  t.signal.windows.hann(-1)  t.signal.windows.hamming(4)
    t.signal.windows.hann(3,dtype=t.int64)  t.signal.windows.gaussian(5,std=2.)
    t.signal.windows.gaussian(5,std=-1)  t.signal.windows.exponential(5,tau=.5)
    t.signal.windows.exponential(5,center=1)  t.signal.windows.exponential(5,center=1,sym=False)
    t.signal.windows.exponential(5,tau=-1)  t.signal.windows.kaiser(5,beta=-1)
    t.signal.windows.kaiser(6,sym=False)  t.signal.windows.general_cosine(5,a=[])
    t.signal.windows.general_cosine(5,a=1)  t.signal.windows.general_cosine(5,a=[.3,.5,.2])
    t.signal.windows.general_hamming(5)  t.signal.windows.nuttall(5)  t.signal.windows.cosine(0)
    t.signal.windows.cosine(4,sym=False)  t.signal.windows.cosine(1)  t.signal.windows.bartlett(7)
    t.signal.windows.blackman(7,dtype=t.float64)
"""
FROM_DATA = """
    t.tensor([])  t.tensor([1,2.5])  t.tensor([True,2])  t.tensor([[1,2],[3]])  t.tensor([[1],2])
    t.tensor('a')  t.tensor(['a'])  t.tensor(None)  t.tensor({})  t.tensor(np.float32(2))
    t.tensor([np.float64(2)])  t.tensor([np.int32(2)])  t.tensor([np.ones(2),np.ones(2)])
    t.tensor([t.tensor(1),t.tensor(2)])  t.tensor([t.tensor([1]),t.tensor([2])])  t.tensor([i,i])
    t.tensor([x[0],x[0]])  t.tensor([t.tensor(1.0,dtype=t.float64)])  t.tensor(range(3))
    t.tensor([1.5],dtype=t.int64)  t.tensor([300],dtype=t.uint8)  t.tensor([[],[]])
    t.as_tensor(x).is_set_to(x)  t.as_tensor(np.ones(2),dtype=t.float32)
    t.from_numpy(np.arange(3)[::-1])  t.from_numpy(np.ones((2,3)).T)  t.asarray([1,2])
    t.asarray(x).is_set_to(x)  t.asarray(x,copy=True).is_set_to(x)  t.asarray(x,dtype=t.float64)
    t.asarray(x,dtype=t.float64,copy=False)  t.asarray(np.ones(2),copy=True)
    t.asarray([1.],requires_grad=True).requires_grad  t.asarray([1.],copy=False)
    t.asarray(x.clone().requires_grad_(),requires_grad=False).requires_grad
    t.asarray(bytearray(b'abcdefgh'),dtype=t.int32)  t.asarray(bytearray(b'abcdefgh')).shape
    t.asarray(3)  t.asarray(np.float32(3))
    t.frombuffer(bytearray(b'abcdefgh'),dtype=t.int32,count=1,offset=4)
    t.frombuffer(bytearray(b'abcdefg'),dtype=t.int32)  t.frombuffer(bytearray(b''),dtype=t.int32)
    t.frombuffer(bytearray(b'abcd'),dtype=t.int32,count=3)
    t.frombuffer(bytearray(b'abcd'),dtype=t.int32,count=0)
    t.frombuffer(bytearray(b'abcd'),dtype=t.int32,offset=9)  t.frombuffer([1],dtype=t.int32)
    t.from_dlpack(x)  t.from_dlpack(np.ones(3))  t.from_dlpack([1])  t.from_dlpack(x.__dlpack__())
    x.clone().requires_grad_().__dlpack__()  np.from_dlpack(p).strides  x.__array_priority__
    np.asarray(x,dtype=np.float64).dtype  np.sin(x)  np.add(np.ones(3),t.ones(3))
    t.is_tensor(3)  t.is_storage(x)  t.is_floating_point(x)  t.is_complex(x)  t.is_signed(x)
    t.is_conj(x)  t.is_neg(x)  t.is_nonzero(z)  t.is_nonzero(x)  t.is_nonzero(t.ones(0))
    x.is_same_size(z)  t.numel(x)  t.numel(3)  t.is_floating_point(3)  x.ndimension()
    t.zeros(3,4).fill_diagonal_(5)  t.zeros(7,3).fill_diagonal_(5,wrap=True)
    t.zeros(3,3,3).fill_diagonal_(5)  t.zeros(3,3,2).fill_diagonal_(5)  t.zeros(3).fill_diagonal_(5)
    x.sum_to_size(3,1)  x.sum_to_size((2,3,4))  x.sum_to_size(5)  x.sum_to_size(1,2,3,4)
    t.unravel_index(t.tensor([5,23]),(2,3,4))[0].tolist()  t.unravel_index(t.tensor(5),(2,3))
    t.unravel_index(t.tensor([1.]),(2,3))  t.unravel_index(t.tensor([-1,7]),3)
    t.unravel_index(t.tensor([1]),(2,-3))  x.is_cpu  t.is_inference(x)  t.detach(x)  t.detach_(x)
    t.fill_(x.clone(),2)  t.imag(x)  t.as_strided_(x.clone(),(2,),(3,))
    t.from_dlpack(t.utils.dlpack.to_dlpack(x))  t.from_dlpack(t.to_dlpack(x))
    t.get_device(x)  x.is_shared()  x.is_pinned()  x.real  x.imag  t.real(x)  t.conj(x)
    t.resolve_neg(x)  t.resolve_conj(x)  x.clone().resize_(3,2)  x.clone().resize_as_(i)
    x.clone().requires_grad_().resize_(2)  t.ones(2,2).resize_(1,2,1,2).shape
    x.clone().resize_(1,2,3,4,memory_format=t.channels_last).stride()
"""
CALLS = [call for table in (VIEWS, COPIES, ELEMENTS, CREATION, FROM_DATA)
         for line in table.split("\n") for call in line.strip().split("  ") if call]  # fmt: skip


def run(t: Any, call: str) -> Any:
    """The result of a call, or its exception."""
    x = t.arange(24.0).reshape(2, 3, 4)
    names = {"t": t, "np": np, "x": x, "z": t.tensor(1.0), "i": t.tensor([0, 1])}
    names["p"] = x.permute(2, 0, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(call, names)
        except Exception as error:
            return error


def opening(error: Exception) -> str:
    """The words of a message that every such message has."""
    words = str(error).split("\n")[0]
    for stop in "0123456789([{\"'":
        words = words.split(stop)[0]
    return words.strip()


def agree(mine: Any, theirs: Any) -> None:
    if isinstance(theirs, tuple | list) and not hasattr(theirs, "numel"):
        assert len(mine) == len(theirs)
        for m, x in zip(mine, theirs, strict=True):
            agree(m, x)
    elif hasattr(theirs, "stride"):
        assert tuple(mine.shape) == tuple(theirs.shape)
        assert mine.stride() == theirs.stride() or not mine.numel()
        assert str(mine.dtype) == str(theirs.dtype)
        np.testing.assert_allclose(
            mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-6, atol=1e-6
        )
    else:
        assert str(mine) == str(theirs)


@pytest.mark.parametrize("call", CALLS)
def test_call(call: str, torch: Any) -> None:
    theirs, mine = run(torch, call), run(rushlight, call)
    if isinstance(theirs, Exception):
        assert type(mine) is type(theirs), (mine, theirs)
        assert opening(mine) == opening(theirs)
    else:
        assert not isinstance(mine, Exception), mine
        agree(mine, theirs)
