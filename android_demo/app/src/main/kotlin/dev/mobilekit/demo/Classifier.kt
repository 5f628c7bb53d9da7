package dev.mobilekit.demo

import java.nio.ByteBuffer
import kotlin.math.min

/** Class scores -> the best answers, best first; the same arithmetic as mobilekit/tasks/classification.py. */
class Classifier(spec: ClassificationSpec, tensor: TensorSpec, private val labels: List<String>?) : Postprocessor {
    private val scores = Scores(tensor, "classification")
    private val classes = tensor.elements
    private val k = min(spec.k, classes)
    private val softmax = spec.softmax
    private val indices = direct(4 * k)
    private val values = direct(4 * k)
    private val probabilities = direct(4 * classes)

    init {
        if (tensor.shape.count { it > 1 } > 1) throw SidecarException("output '${tensor.name}' is ${tensor.shape}: no class scores")
        checkLabels(labels, classes)
    }

    override fun answers() = Answers(k)

    override fun run(output: ByteBuffer, plan: ByteBuffer, into: Answers) {
        Kernels.check(Kernels.topK(output, scores.dtype, classes, k, scores.scale, scores.zeroPoint, indices, values), "top k")
        if (softmax) Kernels.check(Kernels.softmax(output, scores.dtype, classes, scores.scale, probabilities), "softmax")
        into.count = k
        for (i in 0 until k) {
            val index = indices.getInt(4 * i)
            into.indices[i] = index
            into.scores[i] = if (softmax) probabilities.getFloat(4 * index) else values.getFloat(4 * i)
        }
    }

    override fun label(answers: Answers, at: Int): String = labels?.get(answers.indices[at]) ?: "class ${answers.indices[at]}"
}
