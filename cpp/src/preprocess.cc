// The driver of mk_preprocess: checks, geometry, and the walk over the rows. Written once; pixels are touched only by the
// row primitives of the instruction set in use (row_ops.h).
//
// The walk goes over the picture in the orientation of the frame: its row t is one blend of two source rows. Without a
// quarter turn a picture row is an output row; with one it is an output column, and bands of kBandRows rows are
// transposed on their way out. Mirroring and half turns only reverse the order of rows and column taps.
#include "mobilekit/preprocess.h"

#include <string.h>

#include "geometry.h"
#include "row_ops.h"
#include "scratch.h"

namespace mobilekit {
namespace {

// What the crop, the turn and the sizes come to.
struct Plan {
  Axis columns, rows;   // in the orientation of the frame
  bool transposed;      // picture rows are output columns
  int source_channels;  // planes of levels that a picture row starts as: 1 or 3
  int channels;         // of the output
  int bytes;            // of an output element
  int x_low, x_count;   // pixels of a source row that are blended
};

Plan make_plan(const mk_preprocess_args& a) {
  Plan plan;
  plan.transposed = a.rotation == 90 || a.rotation == 270;
  // Clockwise turns: out(x, y) = frame(x, y), (y, H - x), (W - x, H - y), (W - y, x) for 0, 90, 180, 270.
  bool flip_x = a.rotation == 180 || a.rotation == 270;
  bool flip_y = a.rotation == 90 || a.rotation == 180;
  if (a.mirror) {
    if (plan.transposed) {
      flip_y = !flip_y;  // output columns are frame rows
    } else {
      flip_x = !flip_x;
    }
  }
  const int columns = plan.transposed ? a.rect_height : a.rect_width;
  const int rows = plan.transposed ? a.rect_width : a.rect_height;
  plan.columns = make_axis(a.crop_x, a.crop_width, a.image.width, columns, flip_x, a.filter);
  plan.rows = make_axis(a.crop_y, a.crop_height, a.image.height, rows, flip_y, a.filter);
  plan.channels = a.channels == MK_CHANNELS_GRAY ? 1 : 3;
  plan.source_channels = a.image.format == MK_FORMAT_GRAY ||
                                 (a.image.format == MK_FORMAT_YUV420 && a.channels == MK_CHANNELS_GRAY)
                             ? 1
                             : 3;
  plan.bytes = element_bytes(a.dtype);
  // Chroma pairs start at even pixels: begin there, so that luma and chroma rows begin together.
  plan.x_low = plan.columns.low & ~1;
  plan.x_count = plan.columns.high + 1 - plan.x_low;
  return plan;
}

int pixel_bytes(int32_t format) {
  if (format == MK_FORMAT_RGB || format == MK_FORMAT_BGR) return 3;
  if (format == MK_FORMAT_RGBA || format == MK_FORMAT_BGRA) return 4;
  return 1;
}

// Entries of a column's weights: padded with zeros to what vector code takes at a time.
int weight_stride(const Plan& plan) { return round_up(max_weights(plan.columns), kWeightBlock); }

// Everything a call keeps in scratch.
struct Buffers {
  int32_t* index;
  uint8_t* weight;
  void* prepared;
  int32_t* chroma_index;
  uint8_t* chroma_weight;
  void* chroma_prepared;
  uint8_t* row;         // one blended row of luma or pixels
  uint8_t* plane[3];    // split pixels
  uint8_t* chroma_row;  // blended chroma, U and V interleaved
  uint8_t* chroma[2];   // blended U and V before they are interleaved
  int16_t* level[3];    // 64 * level
  int16_t* row_weight;  // filters that average: weights of one row
  int32_t* first;       // and of the columns, with the first pixel of each
  int16_t* column_weight;
  int32_t* chroma_first;
  int16_t* chroma_column_weight;
  uint8_t* band[3];     // converted rows of a band, `band_stride` bytes apart
  int64_t band_stride;
};

Buffers lay_out(Scratch& scratch, const mk_preprocess_args& a, const Plan& plan, const RowOps& ops) {
  Buffers b = {};
  const int padded = round_up(plan.columns.count, kPad);
  const int64_t row_bytes = int64_t{plan.x_count} * pixel_bytes(a.image.format) + kOverread;
  const bool average = averages(a.filter), chroma = a.image.format == MK_FORMAT_YUV420 && plan.channels == 3;
  const int64_t prepared = ops.prepared_bytes ? ops.prepared_bytes(padded) : 0;
  if (average) {
    b.row_weight = scratch.take<int16_t>(max_weights(plan.rows));
    b.first = scratch.take<int32_t>(padded);
    b.column_weight = scratch.take<int16_t>(int64_t{padded} * weight_stride(plan));
    if (chroma) {
      b.chroma_first = scratch.take<int32_t>(padded);
      b.chroma_column_weight = scratch.take<int16_t>(int64_t{padded} * weight_stride(plan));
    }
  } else {
    b.index = scratch.take<int32_t>(padded);
    b.weight = scratch.take<uint8_t>(padded);
    b.prepared = scratch.take<uint8_t>(prepared);
    if (chroma) {
      b.chroma_index = scratch.take<int32_t>(padded);
      b.chroma_weight = scratch.take<uint8_t>(padded);
      b.chroma_prepared = scratch.take<uint8_t>(prepared);
    }
  }
  b.row = scratch.take<uint8_t>(row_bytes);
  if (pixel_bytes(a.image.format) > 1) {
    for (uint8_t*& plane : b.plane) plane = scratch.take<uint8_t>(plan.x_count + kOverread);
  }
  if (chroma) {
    b.chroma_row = scratch.take<uint8_t>(row_bytes + 2);
    for (uint8_t*& plane : b.chroma) plane = scratch.take<uint8_t>(row_bytes + 2);
  }
  for (int16_t*& level : b.level) level = scratch.take<int16_t>(padded);
  b.band_stride = int64_t{padded} * plan.bytes;
  for (int c = 0; c < plan.channels; ++c) b.band[c] = scratch.take<uint8_t>(b.band_stride * kBandRows);
  return b;
}

Matrix matrix_of(int32_t color) {
  // R = Y + cr V, B = Y + cb U, G = Y - cb kb/kg U - cr kr/kg V with cr = 2 (1 - kr), cb = 2 (1 - kb), kg = 1 - kr - kb;
  // limited range stretches Y by 255/219 and chroma by 255/224. BT.601: kr 0.299, kb 0.114; BT.709: 0.2126, 0.0722.
  const bool bt709 = color == MK_COLOR_BT709_FULL || color == MK_COLOR_BT709_LIMITED;
  const bool limited = color == MK_COLOR_BT601_LIMITED || color == MK_COLOR_BT709_LIMITED;
  const double kr = bt709 ? 0.2126 : 0.299, kb = bt709 ? 0.0722 : 0.114, kg = 1.0 - kr - kb;
  const double chroma = limited ? 255.0 / 224.0 : 1.0;
  const double cr = 2.0 * (1.0 - kr) * chroma, cb = 2.0 * (1.0 - kb) * chroma;
  const auto q15 = [](double x) { return static_cast<int16_t>(x * 32768.0 + (x < 0 ? -0.5 : 0.5)); };
  Matrix m;
  m.luma_offset = limited ? 16 * 64 : 0;
  m.luma = q15(limited ? 255.0 / 219.0 - 1.0 : 0.0);
  m.red = q15(cr - 2.0);
  m.green_u = q15(-cb * kb / kg);
  m.green_v = q15(-cr * kr / kg);
  m.blue = q15(cb - 2.0);
  return m;
}

// How the chroma of a YUV420 image lies in memory.
struct Chroma {
  bool interleaved;  // U and V alternate: one blend does both
  bool v_first;
  const uint8_t* base;
};

Chroma chroma_of(const mk_image& image) {
  const uint8_t *u = image.plane[1], *v = image.plane[2];
  Chroma chroma = {false, false, u};
  if (image.chroma_pixel_stride == 2 && image.row_stride[1] == image.row_stride[2]) {
    const uintptr_t at_u = reinterpret_cast<uintptr_t>(u), at_v = reinterpret_cast<uintptr_t>(v);
    chroma.v_first = at_v + 1 == at_u;
    chroma.interleaved = chroma.v_first || at_u + 1 == at_v;
    if (chroma.v_first) chroma.base = v;
  }
  return chroma;
}

// One call: the plan, its buffers, and the state that moves from row to row.
class Walk {
 public:
  Walk(const mk_preprocess_args& args, const Plan& plan, const Buffers& buffers, const RowOps& ops)
      : a_(args), plan_(plan), b_(buffers), ops_(ops), matrix_(matrix_of(args.color)) {
    if (a_.image.format == MK_FORMAT_YUV420) chroma_ = chroma_of(a_.image);
    if (averages(args.filter)) {
      fill_weights();
    } else {
      fill_taps();
    }
  }

  void run(int first_part, int end_part) {
    if (first_part == 0) fill_padding();
    const int end = end_part * kBandRows < plan_.rows.count ? end_part * kBandRows : plan_.rows.count;
    for (int t = first_part * kBandRows; t < end; t += kBandRows) {
      const int rows = end - t < kBandRows ? end - t : kBandRows;
      for (int i = 0; i < rows; ++i) {
        if (averages(a_.filter)) {
          average_levels(t + i);
        } else {
          const Tap tap = tap_of(plan_.rows, t + i);
          load_levels(tap, t + i + 1 < end ? tap_of(plan_.rows, t + i + 1) : tap);
        }
        if (plan_.transposed) {
          for (int c = 0; c < plan_.channels; ++c) convert(c, b_.band[c] + i * b_.band_stride);
        } else {
          store_row(t + i);
        }
      }
      if (plan_.transposed) store_band(t, rows);
    }
  }

 private:
  void fill_taps() {
    const bool chroma = b_.chroma_index != nullptr;
    const int count = plan_.columns.count, padded = round_up(count, kPad);
    for (int i = 0; i < padded; ++i) {
      const Tap tap = tap_of(plan_.columns, i < count ? i : count - 1);
      b_.index[i] = tap.index - plan_.x_low;
      b_.weight[i] = static_cast<uint8_t>(tap.weight);
      if (chroma) {
        // Pixels 2k and 2k + 1 share a chroma sample: only a step from an odd pixel crosses into the next one.
        b_.chroma_index[i] = b_.index[i] & ~1;
        b_.chroma_weight[i] = (tap.index & 1) ? b_.weight[i] : 0;
      }
    }
    taps_ = {count, padded, 1, b_.index, b_.weight, b_.prepared};
    if (ops_.prepare_taps) ops_.prepare_taps(&taps_);
    if (chroma) {
      chroma_taps_ = {count, padded, 2, b_.chroma_index, b_.chroma_weight, b_.chroma_prepared};
      if (ops_.prepare_taps) ops_.prepare_taps(&chroma_taps_);
    }
  }

  void fill_weights() {
    const int count = plan_.columns.count, padded = round_up(count, kPad), stride = weight_stride(plan_);
    const bool chroma = b_.chroma_first != nullptr;
    memset(b_.column_weight, 0, static_cast<size_t>(padded) * static_cast<size_t>(stride) * sizeof(int16_t));
    if (chroma) {
      memset(b_.chroma_column_weight, 0, static_cast<size_t>(padded) * static_cast<size_t>(stride) * sizeof(int16_t));
    }
    for (int i = 0; i < padded; ++i) {
      int16_t* const weights = b_.column_weight + int64_t{i} * stride;
      const Range range = weights_of(plan_.columns, i < count ? i : count - 1, weights);
      b_.first[i] = range.first - plan_.x_low;
      if (chroma) {
        int16_t* const folded = b_.chroma_column_weight + int64_t{i} * stride;
        memcpy(folded, weights, static_cast<size_t>(range.count) * sizeof(int16_t));
        const Range pairs = fold_to_chroma(range, folded);
        memset(folded + pairs.count, 0, static_cast<size_t>(range.count - pairs.count) * sizeof(int16_t));
        b_.chroma_first[i] = pairs.first - plan_.x_low / 2;
      }
    }
    weighted_ = {padded, stride, b_.first, b_.column_weight};
    chroma_weighted_ = {padded, stride, b_.chroma_first, b_.chroma_column_weight};
  }

  // As load_levels, with a filter that averages.
  void average_levels(int t) {
    const int step = pixel_bytes(a_.image.format);
    const Range range = weights_of(plan_.rows, t, b_.row_weight);
    ops_.weigh_rows(b_.row, source_row(0, range.first, int64_t{plan_.x_low} * step), a_.image.row_stride[0],
                    int64_t{plan_.x_count} * step, b_.row_weight, range.count);
    if (step > 1) {
      const bool swap = a_.image.format == MK_FORMAT_BGR || a_.image.format == MK_FORMAT_BGRA;
      ops_.split_pixels(b_.plane, b_.row, plan_.x_count, step);
      for (int c = 0; c < 3; ++c) ops_.weigh_columns(b_.level[swap ? 2 - c : c], b_.plane[c], weighted_);
      if (plan_.channels == 1) ops_.rgb_to_gray(b_.level[0], b_.level[1], b_.level[2], weighted_.padded);
      return;
    }
    ops_.weigh_columns(b_.level[0], b_.row, weighted_);
    if (a_.image.format == MK_FORMAT_GRAY) return;
    if (plan_.channels == 1) {
      ops_.luma_to_gray(b_.level[0], weighted_.padded, matrix_);
      return;
    }
    average_chroma(fold_to_chroma(range, b_.row_weight));
    ops_.yuv_to_rgb(b_.level[0], b_.level[1], b_.level[2], weighted_.padded, matrix_);
  }

  void average_chroma(Range rows) {
    const int64_t pairs = (plan_.x_count + 1) / 2, first_pair = plan_.x_low / 2;
    const int step = a_.image.chroma_pixel_stride;
    if (chroma_.interleaved) {
      const uint8_t* const source = chroma_.base + rows.first * a_.image.row_stride[1] + 2 * first_pair;
      ops_.weigh_rows(b_.chroma_row, source, a_.image.row_stride[1], 2 * pairs, b_.row_weight, rows.count);
      const int first = chroma_.v_first ? 1 : 0;
      ops_.split_pairs(b_.chroma[first], b_.chroma[1 - first], b_.chroma_row, pairs);
    } else {
      for (int p = 0; p < 2; ++p) {
        ops_.weigh_rows(b_.chroma[p], source_row(p + 1, rows.first, first_pair * step), a_.image.row_stride[p + 1],
                        (pairs - 1) * step + 1, b_.row_weight, rows.count);
        for (int64_t i = 1; step == 2 && i < pairs; ++i) b_.chroma[p][i] = b_.chroma[p][2 * i];
      }
    }
    for (int p = 0; p < 2; ++p) ops_.weigh_columns(b_.level[p + 1], b_.chroma[p], chroma_weighted_);
  }

  const uint8_t* source_row(int plane, int y, int64_t offset) const {
    return a_.image.plane[plane] + y * a_.image.row_stride[plane] + offset;
  }

  // Fills level[0 .. source_channels) with one picture row, and turns it into the channels of the output.
  void load_levels(Tap tap, Tap next) {
    const int step = pixel_bytes(a_.image.format);
    const int64_t offset = int64_t{plan_.x_low} * step, bytes = int64_t{plan_.x_count} * step;
    const auto row = [&](int y) { return source_row(0, y, offset); };
    const int second = tap.weight ? tap.index + 1 : tap.index;
    const int next_second = next.weight ? next.index + 1 : next.index;
    ops_.blend_rows(b_.row, row(tap.index), row(second), bytes, tap.weight, row(next.index), row(next_second));

    if (step > 1) {
      // Channels swap places here, once a row, instead of in every primitive.
      const bool swap = a_.image.format == MK_FORMAT_BGR || a_.image.format == MK_FORMAT_BGRA;
      ops_.split_pixels(b_.plane, b_.row, plan_.x_count, step);
      for (int c = 0; c < 3; ++c) ops_.sample(b_.level[swap ? 2 - c : c], b_.plane[c], taps_);
      if (plan_.channels == 1) ops_.rgb_to_gray(b_.level[0], b_.level[1], b_.level[2], taps_.padded);
      return;
    }
    ops_.sample(b_.level[0], b_.row, taps_);
    if (a_.image.format == MK_FORMAT_GRAY) return;
    if (plan_.channels == 1) {
      ops_.luma_to_gray(b_.level[0], taps_.padded, matrix_);
      return;
    }
    blend_chroma(tap, next);
    int16_t* const u = b_.level[1];
    int16_t* const v = b_.level[2];
    ops_.sample_pairs(chroma_.v_first ? v : u, chroma_.v_first ? u : v, b_.chroma_row, chroma_taps_);
    ops_.yuv_to_rgb(b_.level[0], u, v, taps_.padded, matrix_);
  }

  // chroma_row <- the chroma of a picture row. Rows 2k and 2k + 1 share chroma, so small steps often need no new row.
  void blend_chroma(Tap tap, Tap next) {
    const Tap c = {tap.index >> 1, (tap.index & 1) ? tap.weight : 0};
    if (c.index == chroma_at_.index && c.weight == chroma_at_.weight) return;
    chroma_at_ = c;
    const int second = c.weight ? c.index + 1 : c.index;
    const int next_first = next.index >> 1;
    const int next_second = (next.index & 1) && next.weight ? next_first + 1 : next_first;
    const int64_t pairs = (plan_.x_count + 1) / 2, first_pair = plan_.x_low / 2;
    if (chroma_.interleaved) {
      const int64_t stride = a_.image.row_stride[1];
      const auto row = [&](int y) { return chroma_.base + y * stride + 2 * first_pair; };
      ops_.blend_rows(b_.chroma_row, row(c.index), row(second), 2 * pairs, c.weight, row(next_first),
                      row(next_second));
      return;
    }
    const int step = a_.image.chroma_pixel_stride;
    for (int p = 0; p < 2; ++p) {
      const auto row = [&](int y) { return source_row(p + 1, y, first_pair * step); };
      ops_.blend_rows(b_.chroma[p], row(c.index), row(second), (pairs - 1) * step + 1, c.weight, row(next_first),
                      row(next_second));
    }
    ops_.interleave_chroma(b_.chroma_row, b_.chroma[0], b_.chroma[1], pairs, step);
  }

  // Output channel c of the row in `level`, as elements.
  void convert(int c, void* dst) const {
    const int source = plan_.source_channels == 1 || plan_.channels == 1 ? 0
                       : a_.channels == MK_CHANNELS_BGR                  ? 2 - c
                                                                         : c;
    // 1/64 is a power of two: folding it into multiply is exact.
    ops_.convert[a_.dtype](dst, b_.level[source], plan_.columns.count, a_.multiply[c] * (1.0f / 64.0f), a_.add[c]);
  }

  // Element (x, y) of the picture's rectangle; `channel` matters for NCHW only.
  uint8_t* at(int channel, int x, int y) const {
    const int64_t pixel = int64_t{a_.rect_y + y} * a_.out_width + a_.rect_x + x;
    uint8_t* out = static_cast<uint8_t*>(a_.out);
    if (a_.layout == MK_LAYOUT_NHWC) return out + pixel * plan_.channels * plan_.bytes;
    return out + (int64_t{channel} * a_.out_height * a_.out_width + pixel) * plan_.bytes;
  }

  bool planar() const { return a_.layout == MK_LAYOUT_NCHW || plan_.channels == 1; }

  void store_row(int y) const {
    for (int c = 0; c < plan_.channels; ++c) convert(c, planar() ? at(c, 0, y) : b_.band[c]);
    if (!planar()) ops_.join3(at(0, 0, y), band(), plan_.columns.count, plan_.bytes);
  }

  void store_band(int x, int rows) const {
    const int columns = plan_.columns.count;
    if (planar()) {
      for (int c = 0; c < plan_.channels; ++c) {
        ops_.transpose(at(c, x, 0), int64_t{a_.out_width} * plan_.bytes, band() + c, b_.band_stride, columns, rows, 1,
                       plan_.bytes);
      }
    } else {
      ops_.transpose(at(0, x, 0), int64_t{a_.out_width} * 3 * plan_.bytes, band(), b_.band_stride, columns, rows, 3,
                     plan_.bytes);
    }
  }

  const void* const* band() const { return reinterpret_cast<const void* const*>(b_.band); }

  // Everything outside the rectangle. A few KB at most in practice, so it is simple rather than fast.
  void fill_padding() const {
    if (a_.rect_width == a_.out_width && a_.rect_height == a_.out_height) return;
    int16_t level[kPad];
    uint8_t element[3][4] = {};
    for (int c = 0; c < plan_.channels; ++c) {
      const float multiply = a_.multiply[c] * (1.0f / 64.0f);
      const float scaled = a_.pad_level[c] * 64.0f;
      const int16_t rounded = static_cast<int16_t>(scaled + (scaled < 0 ? -0.5f : 0.5f));
      for (int16_t& x : level) x = rounded;
      ops_.convert[a_.dtype](element[c], level, 1, multiply, a_.add[c]);
    }
    uint8_t* const out = static_cast<uint8_t*>(a_.out);
    const int64_t pixels = int64_t{a_.out_width} * a_.out_height;
    for (int y = 0; y < a_.out_height; ++y) {
      for (int x = 0; x < a_.out_width; ++x) {
        const bool row_inside = y >= a_.rect_y && y < a_.rect_y + a_.rect_height;
        if (row_inside && x == a_.rect_x) x += a_.rect_width;
        if (x >= a_.out_width) break;
        const int64_t pixel = int64_t{y} * a_.out_width + x;
        for (int c = 0; c < plan_.channels; ++c) {
          const int64_t at =
              a_.layout == MK_LAYOUT_NHWC ? pixel * plan_.channels + c : int64_t{c} * pixels + pixel;
          memcpy(out + at * plan_.bytes, element[c], static_cast<size_t>(plan_.bytes));
        }
      }
    }
  }

  const mk_preprocess_args& a_;
  const Plan& plan_;
  const Buffers& b_;
  const RowOps& ops_;
  const Matrix matrix_;
  Chroma chroma_ = {};
  Taps taps_, chroma_taps_;
  WeightedTaps weighted_ = {}, chroma_weighted_ = {};
  Tap chroma_at_ = {-1, 0};
};

// One past the last byte that an image plane describes.
bool overlaps(const mk_preprocess_args& a, int64_t out_bytes) {
  const uintptr_t out = reinterpret_cast<uintptr_t>(a.out), out_end = out + static_cast<uintptr_t>(out_bytes);
  const int planes = a.image.format == MK_FORMAT_YUV420 ? 3 : 1;
  for (int p = 0; p < planes; ++p) {
    const int64_t rows = p == 0 ? a.image.height : (a.image.height + 1) / 2;
    const int64_t last = p == 0 ? int64_t{a.image.width} * pixel_bytes(a.image.format)
                                : int64_t{(a.image.width - 1) / 2} * a.image.chroma_pixel_stride + 1;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(a.image.plane[p]);
    const uintptr_t end = begin + static_cast<uintptr_t>((rows - 1) * a.image.row_stride[p] + last);
    if (out < end && begin < out_end) return true;
  }
  return false;
}

}  // namespace
}  // namespace mobilekit

extern "C" {

int32_t mk_preprocess_check(const mk_preprocess_args* args) {
  using namespace mobilekit;
  if (args == nullptr) return MK_ERROR_NULL_POINTER;
  const mk_preprocess_args& a = *args;
  const int32_t status = mk_image_check(&a.image);
  if (status != MK_OK) return status;

  const double crop[] = {a.crop_x, a.crop_y, a.crop_width, a.crop_height};
  for (double x : crop) {
    if (!is_finite(x)) return MK_ERROR_CROP;
  }
  if (a.crop_x < 0 || a.crop_y < 0 || !(a.crop_width > 0) || !(a.crop_height > 0) ||
      a.crop_x + a.crop_width > a.image.width || a.crop_y + a.crop_height > a.image.height ||
      a.crop_x >= a.image.width || a.crop_y >= a.image.height) {
    return MK_ERROR_CROP;
  }
  if (a.rotation != 0 && a.rotation != 90 && a.rotation != 180 && a.rotation != 270) return MK_ERROR_ROTATION;
  if (a.filter < MK_FILTER_NEAREST || a.filter > MK_FILTER_BICUBIC) return MK_ERROR_FILTER;
  if (a.color < MK_COLOR_BT601_FULL || a.color > MK_COLOR_BT709_LIMITED) return MK_ERROR_COLOR;
  if (a.channels < MK_CHANNELS_RGB || a.channels > MK_CHANNELS_GRAY) return MK_ERROR_CHANNELS;
  if (a.dtype < MK_DTYPE_INT8 || a.dtype > MK_DTYPE_FLOAT16) return MK_ERROR_DTYPE;
  if (a.layout != MK_LAYOUT_NHWC && a.layout != MK_LAYOUT_NCHW) return MK_ERROR_LAYOUT;
  if (a.out_width < 1 || a.out_height < 1 || a.out_width > MK_MAX_SIZE || a.out_height > MK_MAX_SIZE) {
    return MK_ERROR_SIZE;
  }
  if (a.rect_width < 1 || a.rect_height < 1 || a.rect_x < 0 || a.rect_y < 0 ||
      a.rect_width > a.out_width - a.rect_x || a.rect_height > a.out_height - a.rect_y) {
    return MK_ERROR_RANGE;
  }
  if (averages(a.filter)) {
    const Plan plan = make_plan(a);
    if (max_weights(plan.columns) > kMaxWeights || max_weights(plan.rows) > kMaxWeights) return MK_ERROR_FILTER;
  }
  const int channels = a.channels == MK_CHANNELS_GRAY ? 1 : 3;
  for (int c = 0; c < channels; ++c) {
    const double multiply = a.multiply[c], add = a.add[c];
    // |result| <= 1e9 keeps the conversion to int32 inside its range on every processor.
    if (!is_finite(multiply) || !is_finite(add) || (multiply < 0 ? -multiply : multiply) * 512 > 1e9 ||
        (add < 0 ? -add : add) > 4e8) {
      return MK_ERROR_NORMALIZATION;
    }
    if (!(a.pad_level[c] >= 0 && a.pad_level[c] <= 255)) return MK_ERROR_NORMALIZATION;
  }
  if (a.out == nullptr) return MK_ERROR_NULL_POINTER;
  const int bytes = element_bytes(a.dtype);
  if (reinterpret_cast<uintptr_t>(a.out) % static_cast<uintptr_t>(bytes) != 0) return MK_ERROR_ALIGNMENT;
  const int64_t out_bytes = int64_t{a.out_width} * a.out_height * channels * bytes;  // below 2^52
  if (a.out_bytes < out_bytes) return MK_ERROR_BUFFER_TOO_SMALL;
  if (overlaps(a, out_bytes)) return MK_ERROR_OVERLAP;
  return MK_OK;
}

int64_t mk_preprocess_scratch_bytes(const mk_preprocess_args* args) {
  using namespace mobilekit;
  if (mk_preprocess_check(args) != MK_OK) return 0;
  const Plan plan = make_plan(*args);
  Scratch count(nullptr);
  lay_out(count, *args, plan, row_ops());
  return count.needed();
}

int32_t mk_preprocess_parts(const mk_preprocess_args* args) {
  using namespace mobilekit;
  if (mk_preprocess_check(args) != MK_OK) return 0;
  return (make_plan(*args).rows.count + kBandRows - 1) / kBandRows;
}

int32_t mk_preprocess(const mk_preprocess_args* args, int32_t first_part, int32_t end_part, void* scratch,
                      int64_t scratch_bytes) {
  using namespace mobilekit;
  const int32_t status = mk_preprocess_check(args);
  if (status != MK_OK) return status;
  const Plan plan = make_plan(*args);
  const int parts = (plan.rows.count + kBandRows - 1) / kBandRows;
  if (first_part < 0 || first_part > end_part || end_part > parts) return MK_ERROR_RANGE;
  const RowOps& ops = row_ops();
  Scratch count(nullptr);
  lay_out(count, *args, plan, ops);
  if (scratch == nullptr || scratch_bytes < count.needed()) return MK_ERROR_SCRATCH;

  Scratch pieces(scratch);
  const Buffers buffers = lay_out(pieces, *args, plan, ops);
  Walk(*args, plan, buffers, ops).run(first_part, end_part);
  return MK_OK;
}

int32_t mk_fold_normalization(int32_t channels, const double* mean, const double* std_dev, double scale,
                              int32_t zero_point, float* multiply, float* add) {
  using namespace mobilekit;
  if (mean == nullptr || std_dev == nullptr || multiply == nullptr || add == nullptr) return MK_ERROR_NULL_POINTER;
  if (channels < 1 || channels > 3) return MK_ERROR_CHANNELS;
  if (!is_finite(scale) || !(scale > 0)) return MK_ERROR_NORMALIZATION;
  for (int c = 0; c < channels; ++c) {
    if (!is_finite(mean[c]) || !is_finite(std_dev[c]) || !(std_dev[c] > 0)) return MK_ERROR_NORMALIZATION;
    const double factor = 1.0 / (std_dev[c] * scale);
    const double term = zero_point - mean[c] * factor;
    // NaN and what float32 cannot hold fail these comparisons.
    if (!(factor < 3e38) || !(term < 3e38 && term > -3e38)) return MK_ERROR_NORMALIZATION;
    multiply[c] = static_cast<float>(factor);
    add[c] = static_cast<float>(term);
  }
  return MK_OK;
}

}  // extern "C"
