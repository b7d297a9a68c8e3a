// The module rushlight._kernels.
#include "bind/arrays.h"
#include "isa.h"
#include "parallel.h"

namespace rush {
namespace {

void translate_errors() {
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      if (p) std::rethrow_exception(p);
    } catch (const OutOfMemory& e) {
      const py::object type = py::module_::import("rushlight.errors").attr("OutOfMemoryError");
      PyErr_SetString(type.ptr(), e.what());
    } catch (const TypeError& e) {
      PyErr_SetString(PyExc_TypeError, e.what());
    } catch (const NotImplemented& e) {
      PyErr_SetString(PyExc_NotImplementedError, e.what());
    } catch (const Error& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    }
  });
}

void bind_runtime(py::module_& m) {
  m.def("isa", [] { return isa_name(best_isa()); }, "The instruction set in use.");
  m.def("get_num_threads", &num_threads, "Threads that one kernel may use.");
  m.def("set_num_threads", &set_num_threads, py::arg("count"));
  m.def(
      "memory_stats",
      [] {
        const MemoryStats s = memory_stats();
        py::dict d;
        d["allocated"] = s.allocated;
        d["reserved"] = s.reserved;
        d["peak"] = s.peak;
        d["limit"] = s.limit;
        return d;
      },
      "Bytes of the CPU allocator: in live blocks, held from the system, highest, cache bound.");
  m.def("reset_peak_memory", &reset_peak_memory);
  m.def("set_cache_limit", &set_cache_limit, py::arg("bytes"));
  m.def("empty_cache", &empty_cache, "Gives the cached blocks back to the system.");
}

}  // namespace
}  // namespace rush

PYBIND11_MODULE(_kernels, m) {
  m.doc() = "Kernels over NumPy arrays, compiled for several instruction sets.";
  rush::translate_errors();
  rush::bind_runtime(m);
  rush::bind_arrays(m);
  rush::bind_pointwise(m);
  rush::bind_reduce(m);
  rush::bind_order(m);
  rush::bind_scan(m);
  rush::bind_matmul(m);
  rush::bind_nn(m);
  rush::bind_softmax(m);
  rush::bind_norm(m);
  rush::bind_rows(m);
  rush::bind_graph(m);
  rush::bind_index(m);
  rush::bind_loss(m);
  rush::bind_random(m);
  rush::bind_optim(m);
}
