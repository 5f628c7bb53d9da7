// mk_segment, mk_ctc_* and mk_cosine_* with arbitrary arguments and arbitrary bits for numbers: within their buffers, and the
// same answer from every instruction set.
#include <stdlib.h>

#include <vector>

#include "input.h"
#include "mobilekit/embed.h"
#include "mobilekit/isa.h"
#include "mobilekit/segment.h"
#include "mobilekit/text.h"

namespace {

// `count` numbers; mostly few levels, so that ties happen, sometimes any bits at all.
template <typename T>
std::vector<T> numbers(Input& in, int64_t count) {
  const bool wild = in.number(0, 3) == 0;
  std::vector<T> values(static_cast<size_t>(count));
  for (T& x : values) x = wild ? in.raw<T>() : static_cast<T>(in.raw<uint8_t>() % 8 - 4);
  return values;
}

// Calls run() on every instruction set; its answers (vectors) must be equal.
template <typename Run>
void compare(Run run) {
  mk_isa_force(MK_ISA_SCALAR);
  const auto expected = run();
  for (int isa = MK_ISA_AVX2; isa <= MK_ISA_NEON; ++isa) {
    if (mk_isa_force(isa) == MK_OK && run() != expected) abort();
  }
}

template <typename T>
void segment(Input& in) {
  mk_segment_args args = {};
  args.dtype = sizeof(T) == 1 ? MK_DTYPE_INT8 : MK_DTYPE_FLOAT32;
  args.layout = in.number(0, 1);
  args.width = in.number(1, 90);
  args.height = in.number(1, 6);
  args.classes = in.number(1, 30);
  args.rect_x = in.number(0, 3);
  args.rect_y = in.number(0, 1);
  args.rect_width = in.number(1, 90);
  args.rect_height = in.number(1, 6);
  args.out_width = in.number(1, 150);
  args.out_height = in.number(1, 9);
  args.out_row_stride = int64_t{args.out_width} + in.number(0, 5);
  if (args.width > 4096 || args.height > 64 || args.classes > 256 || args.out_width > 4096 || args.out_height > 64) return;
  if (args.width < 1 || args.height < 1 || args.classes < 1 || args.out_row_stride < 1 || args.out_height < 1) return;
  if (args.out_row_stride > 8192) return;
  const std::vector<T> scores = numbers<T>(in, int64_t{args.width} * args.height * args.classes);
  args.data = scores.data();
  args.data_bytes = static_cast<int64_t>(scores.size() * sizeof(T));
  std::vector<uint8_t> out(static_cast<size_t>(args.out_row_stride * args.out_height));
  args.out = out.data();
  args.out_bytes = static_cast<int64_t>(out.size());
  const int64_t bytes = mk_segment_scratch_bytes(&args);
  if (bytes == 0) return;
  std::vector<uint8_t> scratch(static_cast<size_t>(bytes));
  compare([&] {
    if (mk_segment(&args, 0, args.out_height, scratch.data(), bytes) != MK_OK) abort();
    return out;
  });
}

void text(Input& in) {
  const int32_t steps = in.number(1, 12), classes = in.number(1, 700), blank = in.number(0, 3);
  const int32_t width = in.number(1, 8), results = in.number(1, 4);
  if (steps < 1 || steps > 64 || classes < 1 || classes > 2000) return;
  const std::vector<float> scores = numbers<float>(in, int64_t{steps} * classes);
  const std::vector<int8_t> quantized = numbers<int8_t>(in, int64_t{steps} * classes);
  const size_t room = static_cast<size_t>(steps);
  compare([&] {
    std::vector<int32_t> symbols(room), at(room);
    std::vector<float> values(room);
    int32_t count = 0;
    const int32_t status =
        mk_ctc_greedy_f32(scores.data(), steps, classes, blank, symbols.data(), at.data(), values.data(), &count);
    if ((status == MK_OK) != (blank >= 0 && blank < classes) || count > steps) abort();
    return symbols;
  });
  compare([&] {
    std::vector<int32_t> symbols(room), at(room);
    std::vector<float> values(room);
    int32_t count = 0;
    (void)mk_ctc_greedy_i8(quantized.data(), steps, classes, blank, 0.5f, 3, symbols.data(), at.data(), values.data(),
                           &count);
    return symbols;
  });
  const int64_t bytes = mk_ctc_beam_scratch_bytes(steps, classes, width);
  if (bytes == 0 || results < 1 || results > width) return;
  std::vector<uint8_t> scratch(static_cast<size_t>(bytes));
  compare([&] {
    std::vector<int32_t> symbols(room * static_cast<size_t>(results)), lengths(static_cast<size_t>(results));
    std::vector<double> probability(static_cast<size_t>(results));
    int32_t count = 0;
    const int32_t status = mk_ctc_beam_f32(scores.data(), steps, classes, blank, width, results, symbols.data(),
                                           lengths.data(), probability.data(), &count, scratch.data(), bytes);
    if ((status == MK_OK) != (blank >= 0 && blank < classes) || count > results) abort();
    return symbols;
  });
}

void embed(Input& in) {
  const int32_t n = in.number(1, 80), rows = in.number(1, 3), zero = in.number(-128, 127);
  if (n < 1 || n > 4096 || rows < 1 || rows > 16) return;
  const std::vector<float> x = numbers<float>(in, n), gallery = numbers<float>(in, int64_t{n} * rows);
  const std::vector<int8_t> q = numbers<int8_t>(in, n), g = numbers<int8_t>(in, int64_t{n} * rows);
  const size_t room = static_cast<size_t>(n > rows ? n : rows);
  std::vector<float> real(room);
  (void)mk_l2_normalize_f32(x.data(), n, real.data());
  (void)mk_cosine_f32(x.data(), gallery.data(), rows, n, real.data());
  compare([&] {  // no NaN can come out of integers
    std::vector<float> out(room);
    (void)mk_l2_normalize_i8(q.data(), n, zero, out.data());
    return out;
  });
  compare([&] {
    std::vector<float> out(room);
    (void)mk_cosine_i8(q.data(), zero, g.data(), 3, rows, n, out.data());
    return out;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input in(data, size);
  switch (in.raw<uint8_t>() % 4) {
    case 0:
      segment<float>(in);
      break;
    case 1:
      segment<int8_t>(in);
      break;
    case 2:
      text(in);
      break;
    default:
      embed(in);
  }
  return 0;
}
