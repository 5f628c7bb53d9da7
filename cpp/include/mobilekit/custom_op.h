// A kernel of one's own that runs between two parts of a model: what mobilekit.custom_op(..., library=, symbol=) calls.
#ifndef MOBILEKIT_CUSTOM_OP_H_
#define MOBILEKIT_CUSTOM_OP_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A dense row-major tensor in PyTorch's axis order. dtype: TfLiteType's numbers (1 float32, 2 int32, 3 uint8, 4 int64, 6 bool,
// 7 int16, 9 int8, 10 float16, 11 float64).
typedef struct mk_tensor {
  void* data;
  const int64_t* shape;
  int32_t rank;
  int32_t dtype;
} mk_tensor;

// inputs: the op's tensors in the order of its schema, not to be written. outputs: allocated by the caller with the shapes and
// dtypes that the op's register_fake gives. numbers: the op's int, float and bool arguments in the order of its schema, those in
// lists one after the other. Returns 0, or any other number for an error.
typedef int32_t (*mk_custom_op)(const mk_tensor* inputs, int32_t input_count, mk_tensor* outputs, int32_t output_count,
                                const double* numbers, int32_t number_count);

#ifdef __cplusplus
}
#endif

#endif  // MOBILEKIT_CUSTOM_OP_H_
