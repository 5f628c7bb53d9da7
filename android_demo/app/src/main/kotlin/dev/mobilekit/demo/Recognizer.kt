package dev.mobilekit.demo

import java.nio.ByteBuffer

/**
 * Steps x classes -> one text by greedy CTC; the same arithmetic as mobilekit/tasks/recognition.py. No text is no answer; the
 * score is the mean of the characters' scores.
 */
class Recognizer(private val spec: RecognitionSpec, tensor: TensorSpec, labels: List<String>?) : Postprocessor {
    private val scores = Scores(tensor, "recognition")
    private val classes = tensor.shape.lastOrNull() ?: 0
    private val characters = labels ?: throw SidecarException("the sidecar has no labels: recognition needs the character of every class")
    private val steps = tensor.shape.getOrElse(tensor.shape.size - 2) { 0 }
    private val symbols = direct(4 * maxOf(steps, 0))
    private val at = direct(4 * maxOf(steps, 0))
    private val values = direct(4 * maxOf(steps, 0))

    init {
        val batched = tensor.shape.size == 2 || tensor.shape.size == 3 && tensor.shape[0] == 1
        if (!batched || steps < 1 || classes < 1) {
            throw SidecarException("output '${tensor.name}' is ${tensor.shape}: no steps x classes")
        }
        checkLabels(characters, classes)
        if (spec.blank >= classes) throw SidecarException("blank is class ${spec.blank}, the output has $classes classes")
    }

    override fun answers() = Answers(1, symbolCapacity = steps)

    override fun run(output: ByteBuffer, plan: ByteBuffer, into: Answers) {
        val count = counted(
            Kernels.ctcGreedy(
                output, scores.dtype, steps, classes, spec.blank, scores.scale, scores.zeroPoint, symbols, at, values,
            ),
            "recognition",
        )
        var total = 0.0 // one after the other in float64, as Python adds
        for (i in 0 until count) {
            into.symbols[i] = symbols.getInt(4 * i)
            total += values.getFloat(4 * i)
        }
        into.symbolCount = count
        into.count = minOf(count, 1)
        into.indices[0] = Answers.NO_CLASS
        into.scores[0] = if (count > 0) (total / count).toFloat() else 0f
    }

    override fun label(answers: Answers, at: Int): String =
        buildString { for (i in 0 until answers.symbolCount) append(characters[answers.symbols[i]]) }
}
