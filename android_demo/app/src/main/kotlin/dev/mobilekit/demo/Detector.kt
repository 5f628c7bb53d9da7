package dev.mobilekit.demo

import java.nio.ByteBuffer

/** What is where on one frame, best first; [boxes] are x1 y1 x2 y2 in pixels of the frame as stored. Filled anew for every frame. */
class Detections(capacity: Int) {
    var count = 0
    val classes = IntArray(capacity)
    val scores = FloatArray(capacity)
    val boxes = FloatArray(4 * capacity)
}

/** Output of a YOLO head -> detections; the same arithmetic as mobilekit/tasks/detection.py. Allocates only at its first frame. */
class Detector(private val spec: DetectionSpec, tensor: TensorSpec, labels: List<String>?) {
    private val decoder = DECODERS[spec.decoder]
        ?: throw SidecarException("decoder '${spec.decoder}' is not known; known are ${DECODERS.keys.joinToString()}")
    private val dtype = DTYPES.indexOf(tensor.dtype)
    private val scale = if (dtype == DTYPE_INT8) tensor.quantization?.scale?.toFloat() ?: 1f else 1f
    private val zeroPoint = if (dtype == DTYPE_INT8) tensor.quantization?.zeroPoint ?: 0 else 0
    private val anchors: Int
    private val classes: Int
    private val found = direct(Kernels.DETECTION_BYTES * spec.maxResults)
    private var scratch = direct(0)

    init {
        if (dtype != DTYPE_INT8 && dtype != DTYPE_FLOAT32) {
            throw SidecarException("output '${tensor.name}' is ${tensor.dtype}: detection reads int8 and float32")
        }
        val shape = tensor.shape
        val batched = shape.size == 2 || shape.size == 3 && shape[0] == 1
        val last = shape.getOrElse(shape.size - 1) { 0 }
        val before = shape.getOrElse(shape.size - 2) { 0 }
        anchors = if (decoder.channelsLast) before else last
        classes = (if (decoder.channelsLast) last else before) - 4 - decoder.objectness
        if (!batched || anchors < 1 || classes < 1) {
            throw SidecarException("output '${tensor.name}' is $shape: no output of ${spec.decoder}")
        }
        if (labels != null && labels.size != classes) {
            throw SidecarException("the sidecar has ${labels.size} labels for $classes classes")
        }
    }

    /** [plan]: of the [Preprocessor] that made the input of this [output]. */
    fun run(output: ByteBuffer, plan: ByteBuffer, into: Detections) {
        val layout = if (decoder.channelsLast) 1 else 0
        if (scratch.capacity() == 0) {
            val bytes = Kernels.yoloScratchBytes(
                output, dtype, scale, zeroPoint, anchors, classes, layout, decoder.objectness, spec.maxResults,
            )
            if (bytes < 0) Kernels.check((-bytes).toInt(), "detection")
            scratch = direct(bytes.toInt())
        }
        val count = counted(
            Kernels.detectYolo(
                output, dtype, scale, zeroPoint, anchors, classes, layout, decoder.objectness, spec.scoreThreshold.toFloat(),
                spec.iouThreshold, spec.maxResults, found, scratch,
            ),
            "detection",
        )
        Kernels.check(Kernels.boxesToFrame(plan, found, count), "boxes")
        into.count = count
        for (i in 0 until count) {
            val at = Kernels.DETECTION_BYTES * i
            for (side in 0 until 4) into.boxes[4 * i + side] = found.getFloat(at + 4 * side)
            into.scores[i] = found.getFloat(at + 16)
            into.classes[i] = found.getInt(at + 20)
        }
    }

    private class Decoder(val channelsLast: Boolean, val objectness: Int)

    private companion object {
        // The table of mobilekit/tasks/detection.py.
        val DECODERS = mapOf("yolov8" to Decoder(false, 0), "yolov5" to Decoder(true, 1))
    }
}
