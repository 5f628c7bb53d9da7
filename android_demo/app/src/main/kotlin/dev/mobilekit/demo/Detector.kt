package dev.mobilekit.demo

import java.nio.ByteBuffer

/** Output of a YOLO head -> what is where on the frame, best first; the same arithmetic as mobilekit/tasks/detection.py. */
class Detector(private val spec: DetectionSpec, tensor: TensorSpec, private val labels: List<String>?) : Postprocessor {
    private val decoder = DECODERS[spec.decoder]
        ?: throw SidecarException("decoder '${spec.decoder}' is not known; known are ${DECODERS.keys.joinToString()}")
    private val scores = Scores(tensor, "detection")
    private val anchors: Int
    private val classes: Int
    private val found = direct(Kernels.DETECTION_BYTES * spec.maxResults)
    private var scratch = direct(0)

    init {
        val shape = tensor.shape
        val batched = shape.size == 2 || shape.size == 3 && shape[0] == 1
        val last = shape.getOrElse(shape.size - 1) { 0 }
        val before = shape.getOrElse(shape.size - 2) { 0 }
        anchors = if (decoder.channelsLast) before else last
        classes = (if (decoder.channelsLast) last else before) - 4 - decoder.objectness
        if (!batched || anchors < 1 || classes < 1) {
            throw SidecarException("output '${tensor.name}' is $shape: no output of ${spec.decoder}")
        }
        checkLabels(labels, classes)
    }

    override fun answers() = Answers(spec.maxResults, boxed = true)

    override fun run(output: ByteBuffer, plan: ByteBuffer, into: Answers) {
        val layout = if (decoder.channelsLast) 1 else 0
        if (scratch.capacity() == 0) {
            val bytes = Kernels.yoloScratchBytes(
                output, scores.dtype, scores.scale, scores.zeroPoint, anchors, classes, layout, decoder.objectness, spec.maxResults,
            )
            if (bytes < 0) Kernels.check((-bytes).toInt(), "detection")
            scratch = direct(bytes.toInt())
        }
        val count = counted(
            Kernels.detectYolo(
                output, scores.dtype, scores.scale, scores.zeroPoint, anchors, classes, layout, decoder.objectness,
                spec.scoreThreshold.toFloat(), spec.iouThreshold, spec.maxResults, found, scratch,
            ),
            "detection",
        )
        Kernels.check(Kernels.boxesToFrame(plan, found, count), "boxes")
        into.count = count
        for (i in 0 until count) {
            val at = Kernels.DETECTION_BYTES * i
            for (side in 0 until 4) into.boxes[4 * i + side] = found.getFloat(at + 4 * side)
            into.scores[i] = found.getFloat(at + 16)
            into.indices[i] = found.getInt(at + 20)
        }
    }

    override fun label(answers: Answers, at: Int): String = labels?.get(answers.indices[at]) ?: "class ${answers.indices[at]}"

    private class Decoder(val channelsLast: Boolean, val objectness: Int)

    private companion object {
        // The table of mobilekit/tasks/detection.py.
        val DECODERS = mapOf("yolov8" to Decoder(false, 0), "yolov5" to Decoder(true, 1))
    }
}
