// Freestanding: no system header is available under NVRTC.
#pragma once

#if defined(__CUDACC_RTC__) || defined(__CUDACC__)
#define RUSH_HD __host__ __device__ __forceinline__
#define RUSH_DEVICE 1
#pragma nv_diag_suppress 186  // formulas for every type compare unsigned numbers with 0, too
#else
#define RUSH_HD inline __attribute__((always_inline))
#define RUSH_DEVICE 0
#endif

// Kernel sources are compiled once per instruction set; each copy lives in a namespace of its own.
#ifndef RUSH_ISA
#define RUSH_ISA device
#endif
