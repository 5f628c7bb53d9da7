// mobilekit._native: the kernels for NumPy. Argument checks with good messages live in mobilekit/kernels (shared with the
// NumPy reference); here every buffer is checked again by the kernel, and a status becomes a ValueError with its name.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mobilekit/detect.h"
#include "mobilekit/embed.h"
#include "mobilekit/isa.h"
#include "mobilekit/preprocess.h"
#include "mobilekit/scores.h"
#include "mobilekit/segment.h"
#include "mobilekit/text.h"

namespace py = pybind11;

namespace {

void check(int32_t status, const char* what) {
  if (status != MK_OK) throw py::value_error(std::string(what) + ": " + mk_status_name(status));
}

// Scratch that a thread keeps between calls: fresh pages for every frame would cost more than the kernel.
void* scratch_of(int64_t bytes) {
  thread_local std::unique_ptr<uint8_t[]> buffer;
  thread_local int64_t size = 0;
  if (size < bytes) {
    buffer.reset(new uint8_t[static_cast<size_t>(bytes)]);
    size = bytes;
  }
  return buffer.get();
}

using Bytes = py::array_t<uint8_t, py::array::c_style>;  // never converted: see .noconvert() below

mk_preprocess_args describe_frame(const std::vector<Bytes>& planes, int32_t format, int32_t width, int32_t height,
                                  const std::vector<int64_t>& row_strides, int32_t chroma_pixel_stride) {
  if (planes.empty() || planes.size() > 3 || planes.size() != row_strides.size()) {
    throw py::value_error("planes: expected 1 to 3 of them, each with a row stride");
  }
  mk_preprocess_args args = {};
  args.image.format = format;
  args.image.width = width;
  args.image.height = height;
  args.image.chroma_pixel_stride = chroma_pixel_stride;
  for (size_t p = 0; p < planes.size(); ++p) {
    args.image.plane[p] = planes[p].data();
    args.image.plane_bytes[p] = planes[p].nbytes();
    args.image.row_stride[p] = row_strides[p];
  }
  return args;
}

// Calls run(first, end) for ranges that make up 0 .. parts, one a thread. Without the GIL.
template <typename Run>
void in_threads(int32_t parts, int threads, Run run) {
  if (threads > parts) threads = parts;
  if (threads <= 1) {
    run(0, parts);
    return;
  }
  std::vector<std::thread> workers;
  for (int i = 1; i < threads; ++i) {
    workers.emplace_back(run, static_cast<int32_t>(int64_t{parts} * i / threads),
                         static_cast<int32_t>(int64_t{parts} * (i + 1) / threads));
  }
  run(0, static_cast<int32_t>(int64_t{parts} / threads));
  for (std::thread& worker : workers) worker.join();
}

void run_preprocess(const mk_preprocess_args& args, int threads) {
  check(mk_preprocess_check(&args), "preprocess");
  const int64_t bytes = mk_preprocess_scratch_bytes(&args);
  const int32_t parts = mk_preprocess_parts(&args);
  std::atomic<int32_t> status{MK_OK};
  {
    py::gil_scoped_release release;
    in_threads(parts, threads, [&](int32_t first, int32_t end) {
      const int32_t result = mk_preprocess(&args, first, end, scratch_of(bytes), bytes);
      if (result != MK_OK) status = result;
    });
  }
  check(status, "preprocess");
}

void preprocess(const std::vector<Bytes>& planes, int32_t format, int32_t width, int32_t height,
                const std::vector<int64_t>& row_strides, int32_t chroma_pixel_stride, py::array out, int threads,
                const std::array<double, 4>& crop, int32_t rotation, bool mirror, int32_t filter, int32_t color,
                const std::array<int32_t, 2>& out_size, int32_t channels, int32_t dtype, int32_t layout,
                const std::array<int32_t, 4>& rect, const std::array<float, 3>& pad_level,
                const std::array<float, 3>& multiply, const std::array<float, 3>& add) {
  mk_preprocess_args args = describe_frame(planes, format, width, height, row_strides, chroma_pixel_stride);
  args.crop_x = crop[0];
  args.crop_y = crop[1];
  args.crop_width = crop[2];
  args.crop_height = crop[3];
  args.rotation = rotation;
  args.mirror = mirror;
  args.filter = filter;
  args.color = color;
  if (!(out.flags() & py::array::c_style)) throw py::value_error("out: expected a C-contiguous array");
  args.out = out.mutable_data();  // ValueError where out is read-only
  args.out_bytes = out.nbytes();
  args.out_height = out_size[0];
  args.out_width = out_size[1];
  args.channels = channels;
  args.dtype = dtype;
  args.layout = layout;
  args.rect_x = rect[0];
  args.rect_y = rect[1];
  args.rect_width = rect[2];
  args.rect_height = rect[3];
  for (size_t c = 0; c < 3; ++c) {
    args.pad_level[c] = pad_level[c];
    args.multiply[c] = multiply[c];
    args.add[c] = add[c];
  }
  run_preprocess(args, threads);
}

int32_t count_of(const py::array& scores) {
  if (scores.ndim() != 1 || scores.size() > MK_MAX_SIZE) throw py::value_error("scores: expected one short dimension");
  return static_cast<int32_t>(scores.size());
}

template <typename T>
using Scores = py::array_t<T, py::array::c_style>;

template <typename T, typename Kernel>
py::tuple top_k(const Scores<T>& scores, int32_t k, Kernel kernel) {
  const int32_t n = count_of(scores);
  if (k < 1 || k > n) throw py::value_error(std::string("top_k: ") + mk_status_name(MK_ERROR_RANGE));
  py::array_t<int32_t> indices(k);
  py::array_t<float> values(k);
  int32_t* const index = indices.mutable_data();
  float* const value = values.mutable_data();
  int32_t status;
  {
    py::gil_scoped_release release;
    status = kernel(scores.data(), n, k, index, value);
  }
  check(status, "top_k");
  return py::make_tuple(indices, values);
}

template <typename T, typename Kernel>
py::array_t<float> softmax(const Scores<T>& scores, Kernel kernel) {
  const int32_t n = count_of(scores);
  py::array_t<float> probabilities(n);
  float* const out = probabilities.mutable_data();
  int32_t status;
  {
    py::gil_scoped_release release;
    status = kernel(scores.data(), n, out);
  }
  check(status, "softmax");
  return probabilities;
}

py::array_t<int32_t> nms(const Scores<float>& boxes, const Scores<float>& scores,
                        const std::optional<Scores<int32_t>>& classes, double iou_threshold, int32_t max_keep) {
  const int32_t n = count_of(scores);
  if (boxes.ndim() != 2 || boxes.shape(0) != n || boxes.shape(1) != 4) {
    throw py::value_error("boxes: expected shape (n, 4) with a score for each");
  }
  if (classes && (classes->ndim() != 1 || classes->size() != n)) throw py::value_error("classes: expected n of them");
  if (max_keep > n) max_keep = n;
  std::vector<int32_t> keep(static_cast<size_t>(n > 0 ? n : 1));
  int32_t kept = 0;
  int32_t status;
  {
    py::gil_scoped_release release;
    const int64_t bytes = mk_nms_scratch_bytes(n, max_keep < 1 ? 1 : max_keep);
    status = mk_nms(boxes.data(), scores.data(), classes ? classes->data() : nullptr, n, iou_threshold,
                    n == 0 ? 1 : max_keep, keep.data(), &kept, scratch_of(bytes), bytes);
  }
  check(status, "nms");
  return py::array_t<int32_t>(kept, keep.data());
}

// (boxes n x 4, scores n, classes n, anchors n)
py::tuple yolo(const py::array& output, float scale, int32_t zero_point, int32_t anchors, int32_t classes,
               int32_t layout, int32_t objectness, int32_t box_format, float confidence, double iou_threshold,
               bool class_agnostic, int32_t max_detections) {
  mk_yolo_args args = {};
  args.data = output.data();
  args.data_bytes = output.nbytes();
  args.dtype = output.dtype().is(py::dtype::of<int8_t>()) ? MK_DTYPE_INT8 : MK_DTYPE_FLOAT32;
  args.scale = scale;
  args.zero_point = zero_point;
  args.anchors = anchors;
  args.classes = classes;
  args.layout = layout;
  args.objectness = objectness;
  args.box_format = box_format;
  args.confidence = confidence;
  args.iou_threshold = iou_threshold;
  args.class_agnostic = class_agnostic;
  args.max_detections = max_detections < anchors ? max_detections : anchors;
  check(mk_yolo_check(&args), "yolo");
  std::vector<mk_detection> found(static_cast<size_t>(args.max_detections));
  int32_t count = 0;
  int32_t status;
  {
    py::gil_scoped_release release;
    const int64_t bytes = mk_yolo_scratch_bytes(&args);
    status = mk_yolo(&args, found.data(), &count, scratch_of(bytes), bytes);
  }
  check(status, "yolo");
  py::array_t<float> boxes({count, 4}), scores(count);
  py::array_t<int32_t> class_ids(count), indices(count);
  for (int32_t i = 0; i < count; ++i) {
    const mk_detection& d = found[static_cast<size_t>(i)];
    float* const box = boxes.mutable_data(i, 0);
    box[0] = d.x1;
    box[1] = d.y1;
    box[2] = d.x2;
    box[3] = d.y2;
    scores.mutable_at(i) = d.score;
    class_ids.mutable_at(i) = d.class_id;
    indices.mutable_at(i) = d.index;
  }
  return py::make_tuple(boxes, scores, class_ids, indices);
}

void boxes_to_frame(py::array_t<float, py::array::c_style> boxes, const std::array<double, 4>& crop, int32_t rotation,
                    bool mirror, const std::array<int32_t, 4>& rect) {
  if (boxes.ndim() != 2 || boxes.shape(1) != 4) throw py::value_error("boxes: expected shape (n, 4)");
  mk_preprocess_args args = {};
  args.crop_x = crop[0];
  args.crop_y = crop[1];
  args.crop_width = crop[2];
  args.crop_height = crop[3];
  args.rotation = rotation;
  args.mirror = mirror;
  args.rect_x = rect[0];
  args.rect_y = rect[1];
  args.rect_width = rect[2];
  args.rect_height = rect[3];
  check(mk_boxes_to_frame(&args, boxes.mutable_data(), static_cast<int32_t>(boxes.shape(0))), "boxes_to_frame");
}

struct Table {
  int32_t rows, columns;
};

// mk_* functions check sizes; this only keeps a NumPy shape from being cut to 32 bits.
Table table_of(const py::array& table, const char* name) {
  if (table.ndim() != 2 || table.shape(0) > MK_MAX_SIZE || table.shape(1) > MK_MAX_SIZE) {
    throw py::value_error(std::string(name) + ": expected two short dimensions");
  }
  return {static_cast<int32_t>(table.shape(0)), static_cast<int32_t>(table.shape(1))};
}

template <typename T, typename Kernel>
py::tuple ctc_greedy(const Scores<T>& scores, int32_t blank, Kernel kernel) {
  const Table table = table_of(scores, "scores");
  const size_t room = static_cast<size_t>(table.rows > 0 ? table.rows : 1);
  std::vector<int32_t> symbols(room), at(room);
  std::vector<float> values(room);
  int32_t count = 0;
  int32_t status;
  {
    py::gil_scoped_release release;
    status = kernel(scores.data(), table.rows, table.columns, blank, symbols.data(), at.data(), values.data(), &count);
  }
  check(status, "ctc_greedy");
  return py::make_tuple(py::array_t<int32_t>(count, symbols.data()), py::array_t<int32_t>(count, at.data()),
                        py::array_t<float>(count, values.data()));
}

// [(symbols, probability)], best first
std::vector<std::pair<py::array_t<int32_t>, double>> ctc_beam(const Scores<float>& scores, int32_t blank,
                                                              int32_t beam_width, int32_t results) {
  const Table table = table_of(scores, "probabilities");
  const int64_t bytes = mk_ctc_beam_scratch_bytes(table.rows, table.columns, beam_width);
  if (bytes == 0 || results < 1 || results > beam_width) check(MK_ERROR_SIZE, "ctc_beam");
  const size_t steps = static_cast<size_t>(table.rows), room = static_cast<size_t>(results);
  std::vector<int32_t> symbols(steps * room), lengths(room);
  std::vector<double> probability(room);
  int32_t count = 0;
  int32_t status;
  {
    py::gil_scoped_release release;
    status = mk_ctc_beam_f32(scores.data(), table.rows, table.columns, blank, beam_width, results, symbols.data(),
                             lengths.data(), probability.data(), &count, scratch_of(bytes), bytes);
  }
  check(status, "ctc_beam");
  std::vector<std::pair<py::array_t<int32_t>, double>> found;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    found.emplace_back(py::array_t<int32_t>(lengths[i], symbols.data() + i * steps), probability[i]);
  }
  return found;
}

void segment(const py::array& scores, int32_t layout, const std::array<int32_t, 3>& size,
             const std::array<int32_t, 4>& rect, py::array_t<uint8_t, py::array::c_style> out, int threads) {
  mk_segment_args args = {};
  args.data = scores.data();
  args.data_bytes = scores.nbytes();
  args.dtype = scores.dtype().is(py::dtype::of<int8_t>()) ? MK_DTYPE_INT8 : MK_DTYPE_FLOAT32;
  args.layout = layout;
  args.height = size[0];
  args.width = size[1];
  args.classes = size[2];
  args.rect_x = rect[0];
  args.rect_y = rect[1];
  args.rect_width = rect[2];
  args.rect_height = rect[3];
  const Table table = table_of(out, "out");
  args.out = out.mutable_data();
  args.out_bytes = out.nbytes();
  args.out_row_stride = table.columns;
  args.out_height = table.rows;
  args.out_width = table.columns;
  check(mk_segment_check(&args), "segment");
  const int64_t bytes = mk_segment_scratch_bytes(&args);
  std::atomic<int32_t> status{MK_OK};
  {
    py::gil_scoped_release release;
    in_threads(args.out_height, threads, [&](int32_t first, int32_t end) {
      const int32_t result = mk_segment(&args, first, end, scratch_of(bytes), bytes);
      if (result != MK_OK) status = result;
    });
  }
  check(status, "segment");
}

template <typename T, typename Kernel>
py::array_t<float> l2_normalize(const Scores<T>& x, Kernel kernel) {
  const int32_t n = count_of(x);
  py::array_t<float> result(n);
  check(kernel(x.data(), n, result.mutable_data()), "l2_normalize");
  return result;
}

template <typename T, typename Kernel>
py::array_t<float> cosine(const Scores<T>& query, const Scores<T>& gallery, Kernel kernel) {
  const Table table = table_of(gallery, "gallery");
  if (count_of(query) != table.columns) throw py::value_error("gallery: expected rows as long as the query");
  py::array_t<float> result(table.rows);
  float* const out = result.mutable_data();
  int32_t status;
  {
    py::gil_scoped_release release;
    status = kernel(query.data(), gallery.data(), table.rows, table.columns, out);
  }
  check(status, "cosine");
  return result;
}

int32_t isa_of(const std::string& name) {
  for (int32_t isa = MK_ISA_SCALAR; isa <= MK_ISA_NEON; ++isa) {
    if (name == mk_isa_name(isa)) return isa;
  }
  throw py::value_error("isa: expected scalar, avx2, avx512 or neon, got '" + name + "'");
}

void force_isa(const std::string& name) {
  if (mk_isa_force(isa_of(name)) != MK_OK) throw py::value_error("isa: this machine or build has no '" + name + "'");
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (int32_t isa = MK_ISA_SCALAR; isa <= MK_ISA_NEON; ++isa) {
    if (mk_isa_available(isa)) names.emplace_back(mk_isa_name(isa));
  }
  return names;
}

}  // namespace

PYBIND11_MODULE(_native, m) {
  m.doc() = "The C++ kernels of mobilekit. Use mobilekit.kernels: it checks arguments and falls back to NumPy.";

  m.def("preprocess", &preprocess, py::arg("planes").noconvert(), py::arg("format"), py::arg("width"),
        py::arg("height"), py::arg("row_strides"), py::arg("chroma_pixel_stride"), py::arg("out").noconvert(),
        py::arg("threads"), py::arg("crop"), py::arg("rotation"), py::arg("mirror"), py::arg("filter"),
        py::arg("color"), py::arg("out_size"), py::arg("channels"), py::arg("dtype"), py::arg("layout"),
        py::arg("rect"), py::arg("pad_level"), py::arg("multiply"), py::arg("add"));

  m.def(
      "top_k_f32", [](const Scores<float>& s, int32_t k) { return top_k(s, k, mk_top_k_f32); },
      py::arg("scores").noconvert(), py::arg("k"));
  m.def(
      "top_k_i8",
      [](const Scores<int8_t>& s, int32_t k, float scale, int32_t zero_point) {
        return top_k(s, k, [=](const int8_t* x, int32_t n, int32_t k_, int32_t* index, float* value) {
          return mk_top_k_i8(x, n, k_, scale, zero_point, index, value);
        });
      },
      py::arg("scores").noconvert(), py::arg("k"), py::arg("scale"), py::arg("zero_point"));
  m.def(
      "softmax_f32", [](const Scores<float>& s) { return softmax(s, mk_softmax_f32); }, py::arg("scores").noconvert());
  m.def(
      "softmax_i8",
      [](const Scores<int8_t>& s, float scale) {
        return softmax(s, [=](const int8_t* x, int32_t n, float* out) { return mk_softmax_i8(x, n, scale, out); });
      },
      py::arg("scores").noconvert(), py::arg("scale"));

  m.def("nms", &nms, py::arg("boxes").noconvert(), py::arg("scores").noconvert(), py::arg("classes").noconvert(),
        py::arg("iou_threshold"), py::arg("max_keep"));
  m.def("yolo", &yolo, py::arg("output").noconvert(), py::arg("scale"), py::arg("zero_point"), py::arg("anchors"),
        py::arg("classes"), py::arg("layout"), py::arg("objectness"), py::arg("box_format"), py::arg("confidence"),
        py::arg("iou_threshold"), py::arg("class_agnostic"), py::arg("max_detections"));
  m.def("boxes_to_frame", &boxes_to_frame, py::arg("boxes").noconvert(), py::arg("crop"), py::arg("rotation"),
        py::arg("mirror"), py::arg("rect"));

  m.def(
      "ctc_greedy_f32", [](const Scores<float>& s, int32_t blank) { return ctc_greedy(s, blank, mk_ctc_greedy_f32); },
      py::arg("scores").noconvert(), py::arg("blank"));
  m.def(
      "ctc_greedy_i8",
      [](const Scores<int8_t>& s, int32_t blank, float scale, int32_t zero_point) {
        return ctc_greedy(s, blank,
                          [=](const int8_t* x, int32_t steps, int32_t classes, int32_t blank_, int32_t* symbols,
                              int32_t* at, float* values, int32_t* count) {
                            return mk_ctc_greedy_i8(x, steps, classes, blank_, scale, zero_point, symbols, at, values,
                                                    count);
                          });
      },
      py::arg("scores").noconvert(), py::arg("blank"), py::arg("scale"), py::arg("zero_point"));
  m.def("ctc_beam", &ctc_beam, py::arg("probabilities").noconvert(), py::arg("blank"), py::arg("beam_width"),
        py::arg("results"));

  m.def("segment", &segment, py::arg("scores").noconvert(), py::arg("layout"), py::arg("size"), py::arg("rect"),
        py::arg("out").noconvert(), py::arg("threads"));

  m.def(
      "l2_normalize_f32", [](const Scores<float>& x) { return l2_normalize(x, mk_l2_normalize_f32); },
      py::arg("x").noconvert());
  m.def(
      "l2_normalize_i8",
      [](const Scores<int8_t>& x, int32_t zero_point) {
        return l2_normalize(
            x, [=](const int8_t* q, int32_t n, float* out) { return mk_l2_normalize_i8(q, n, zero_point, out); });
      },
      py::arg("x").noconvert(), py::arg("zero_point"));
  m.def(
      "cosine_f32", [](const Scores<float>& q, const Scores<float>& g) { return cosine(q, g, mk_cosine_f32); },
      py::arg("query").noconvert(), py::arg("gallery").noconvert());
  m.def(
      "cosine_i8",
      [](const Scores<int8_t>& q, int32_t q_zero, const Scores<int8_t>& g, int32_t g_zero) {
        return cosine(q, g, [=](const int8_t* a, const int8_t* b, int32_t rows, int32_t n, float* out) {
          return mk_cosine_i8(a, q_zero, b, g_zero, rows, n, out);
        });
      },
      py::arg("query").noconvert(), py::arg("query_zero_point"), py::arg("gallery").noconvert(),
      py::arg("gallery_zero_point"));

  m.def("isa", [] { return std::string(mk_isa_name(mk_isa_current())); });
  m.def("available_isas", &available_isas);
  m.def("force_isa", &force_isa, py::arg("name"));

  if (const char* forced = std::getenv("MOBILEKIT_ISA"); forced != nullptr && *forced != '\0') force_isa(forced);
}
