package dev.mobilekit.demo

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * The JSON beside a .tflite file: how a frame becomes its input and what its output means (mobilekit/sidecar.py).
 *
 * The app knows nothing about a model but this. As in Python, an unknown field is refused rather than ignored: a typo must not
 * silently change a preprocessing.
 */
class Sidecar(
    val model: String,
    val sha256: String,
    val minRuntimeVersion: String,
    val inputs: List<TensorSpec>,
    val outputs: List<TensorSpec>,
    val preprocess: PreprocessSpec?,
    val classification: ClassificationSpec?,
    val detection: DetectionSpec?,
    val recognition: RecognitionSpec?,
    /** "classification", "detection" ... or null where the sidecar does not say. */
    val task: String?,
    val labels: List<String>?,
) {
    companion object {
        const val VERSION = 1

        /** [SidecarException] names the field that is wrong. */
        fun parse(text: String, name: String = "the sidecar"): Sidecar {
            val document = try {
                JSONObject(text)
            } catch (error: JSONException) {
                throw SidecarException("$name is not JSON: ${error.message}")
            }
            val version = document.opt("version") ?: VERSION
            if (version != VERSION) {
                throw SidecarException("$name has version $version, this app reads $VERSION: install a newer app")
            }
            return try {
                read(document)
            } catch (error: JSONException) {
                throw SidecarException("$name: ${error.message}")
            } catch (error: SidecarException) {
                throw SidecarException("$name: ${error.message}")
            }
        }

        private fun read(document: JSONObject): Sidecar {
            document.allow(
                "version", "model", "mobilekit_version", "sha256", "min_runtime_version", "quantize", "inputs", "outputs",
                "output_structure", "states", "preprocess", "postprocess", "labels", "stages",
            )
            if ((document.optJSONArray("states")?.length() ?: 0) > 0) {
                throw SidecarException("states: the model keeps state from call to call, this app runs each frame for itself")
            }
            if (!document.isNull("stages")) {
                throw SidecarException("stages: the model is more than one run of its file, this app runs it once")
            }
            val postprocess = document.optJSONObject("postprocess")
            val task = postprocess?.getString("kind")
            return Sidecar(
                model = document.getString("model"),
                sha256 = document.getString("sha256"),
                minRuntimeVersion = document.getString("min_runtime_version"),
                inputs = document.getJSONArray("inputs").objects().map(TensorSpec::read),
                outputs = document.getJSONArray("outputs").objects().map(TensorSpec::read),
                preprocess = document.optJSONObject("preprocess")?.let(PreprocessSpec::read),
                classification = if (task == "classification") ClassificationSpec.read(postprocess) else null,
                detection = if (task == "detection") DetectionSpec.read(postprocess) else null,
                recognition = if (task == "recognition") RecognitionSpec.read(postprocess) else null,
                task = task,
                labels = document.optJSONArray("labels")?.let { array -> List(array.length(), array::getString) },
            )
        }
    }
}

/** The sidecar cannot be used; the message says which field and why. */
class SidecarException(message: String) : Exception(message)

/** real = scale * (stored - zeroPoint). */
class AffineSpec(val scale: Double, val zeroPoint: Int)

/** One input or output as the file holds it. */
class TensorSpec(val name: String, val shape: List<Int>, val dtype: String, val quantization: AffineSpec?) {
    val bytes: Int get() = Math.multiplyExact(elements, elementBytes(dtype))
    val elements: Int get() = shape.fold(1) { product, side -> Math.multiplyExact(product, side) }

    companion object {
        fun read(json: JSONObject): TensorSpec {
            json.allow("name", "shape", "dtype", "quantization", "model_shape", "model_dtype", "order", "limits")
            val affine = json.optJSONObject("quantization")
            affine?.allow("scale", "zero_point")
            return TensorSpec(
                name = json.getString("name"),
                shape = json.getJSONArray("shape").let { shape -> List(shape.length(), shape::getInt) },
                dtype = json.getString("dtype"),
                quantization = affine?.let {
                    AffineSpec(it.getDouble("scale").positive("scale"), it.getInt("zero_point"))
                },
            )
        }
    }
}

/** From a picture to the input tensor; mean and std in levels of 0..255, one number or one a channel. */
class PreprocessSpec(
    val height: Int,
    val width: Int,
    val channels: String,
    val fit: String,
    val cropFraction: Double,
    val filter: String,
    val padValue: Int,
    val mean: List<Double>,
    val std: List<Double>,
) {
    val depth: Int get() = if (channels == "gray") 1 else 3

    companion object {
        private val FITS = listOf("stretch", "center_crop", "letterbox", "pad_right")
        private val FILTERS_OF_SIDECARS = listOf("nearest", "bilinear", "area", "bicubic")

        fun read(json: JSONObject): PreprocessSpec {
            json.allow("height", "width", "channels", "fit", "crop_fraction", "filter", "pad_value", "mean", "std")
            val spec = PreprocessSpec(
                height = json.getInt("height"),
                width = json.getInt("width"),
                channels = json.optString("channels", "rgb").oneOf("channels", CHANNELS),
                fit = json.optString("fit", "stretch").oneOf("fit", FITS),
                cropFraction = json.optDouble("crop_fraction", 1.0),
                filter = json.optString("filter", "bilinear").oneOf("filter", FILTERS_OF_SIDECARS),
                padValue = json.optInt("pad_value", 114),
                mean = json.getJSONArray("mean").doubles(),
                std = json.getJSONArray("std").doubles().onEach { it.positive("std") },
            )
            if (spec.height < 1 || spec.width < 1) throw SidecarException("height and width must be above 0")
            if (!(spec.cropFraction > 0 && spec.cropFraction <= 1)) throw SidecarException("crop_fraction: expected 0 to 1")
            if (spec.padValue !in 0..255) throw SidecarException("pad_value: expected 0 to 255, got ${spec.padValue}")
            for ((name, values) in listOf("mean" to spec.mean, "std" to spec.std)) {
                if (values.size != 1 && values.size != spec.depth) {
                    throw SidecarException("$name: expected 1 or ${spec.depth} numbers, got ${values.size}")
                }
            }
            return spec
        }
    }
}

/** Scores of classes -> the best [k]; [softmax] when the model gives logits. */
class ClassificationSpec(val k: Int, val softmax: Boolean) {
    companion object {
        fun read(json: JSONObject): ClassificationSpec {
            json.allow("kind", "k", "softmax")
            val spec = ClassificationSpec(json.optInt("k", 5), json.optBoolean("softmax", true))
            if (spec.k < 1) throw SidecarException("k: expected at least 1, got ${spec.k}")
            return spec
        }
    }
}

/** Boxes and scores -> boxes after suppression; [decoder] names the layout of the output. */
class DetectionSpec(val decoder: String, val scoreThreshold: Double, val iouThreshold: Double, val maxResults: Int) {
    companion object {
        fun read(json: JSONObject): DetectionSpec {
            json.allow("kind", "decoder", "score_threshold", "iou_threshold", "max_results")
            val spec = DetectionSpec(
                json.getString("decoder"), json.optDouble("score_threshold", 0.25), json.optDouble("iou_threshold", 0.45),
                json.optInt("max_results", 300),
            )
            if (spec.scoreThreshold !in 0.0..1.0) throw SidecarException("score_threshold: expected 0 to 1")
            if (spec.iouThreshold !in 0.0..1.0) throw SidecarException("iou_threshold: expected 0 to 1")
            if (spec.maxResults < 1) throw SidecarException("max_results: expected at least 1, got ${spec.maxResults}")
            return spec
        }
    }
}

/** Scores of characters over time -> text; class [blank] is no character. */
class RecognitionSpec(val blank: Int) {
    companion object {
        fun read(json: JSONObject): RecognitionSpec {
            json.allow("kind", "blank")
            val spec = RecognitionSpec(json.optInt("blank", 0))
            if (spec.blank < 0) throw SidecarException("blank: expected at least 0, got ${spec.blank}")
            return spec
        }
    }
}

private fun JSONObject.allow(vararg names: String) {
    for (name in keys()) if (name !in names) throw SidecarException("$name: no such field")
}

private fun JSONArray.objects(): List<JSONObject> = List(length(), ::getJSONObject)

private fun JSONArray.doubles(): List<Double> = List(length(), ::getDouble)

private fun String.oneOf(field: String, known: List<String>): String =
    if (this in known) this else throw SidecarException("$field: expected one of ${known.joinToString()}, got $this")

private fun Double.positive(field: String): Double =
    if (this > 0 && this < Double.POSITIVE_INFINITY) this else throw SidecarException("$field: expected a number above 0, got $this")
