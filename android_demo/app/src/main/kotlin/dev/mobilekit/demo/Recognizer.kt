package dev.mobilekit.demo

import java.nio.ByteBuffer

/** The classes of the characters that were read, and the mean of their scores. Filled anew for every frame. */
class Reading(capacity: Int) {
    var count = 0
    var score = 0f
    val symbols = IntArray(capacity)
}

/** Steps x classes -> text by greedy CTC; the same arithmetic as mobilekit/tasks/recognition.py. */
class Recognizer(private val spec: RecognitionSpec, tensor: TensorSpec, labels: List<String>?) {
    private val dtype = DTYPES.indexOf(tensor.dtype)
    private val scale = if (dtype == DTYPE_INT8) tensor.quantization?.scale?.toFloat() ?: 1f else 1f
    private val zeroPoint = if (dtype == DTYPE_INT8) tensor.quantization?.zeroPoint ?: 0 else 0
    private val classes = tensor.shape.lastOrNull() ?: 0
    private val characters = labels ?: throw SidecarException("the sidecar has no labels: recognition needs the character of every class")

    /** The most symbols that there can be. */
    val steps: Int = tensor.shape.getOrElse(tensor.shape.size - 2) { 0 }
    private val symbols = direct(4 * maxOf(steps, 0))
    private val at = direct(4 * maxOf(steps, 0))
    private val values = direct(4 * maxOf(steps, 0))

    init {
        if (dtype != DTYPE_INT8 && dtype != DTYPE_FLOAT32) {
            throw SidecarException("output '${tensor.name}' is ${tensor.dtype}: recognition reads int8 and float32")
        }
        val batched = tensor.shape.size == 2 || tensor.shape.size == 3 && tensor.shape[0] == 1
        if (!batched || steps < 1 || classes < 1) {
            throw SidecarException("output '${tensor.name}' is ${tensor.shape}: no steps x classes")
        }
        if (characters.size != classes) throw SidecarException("the sidecar has ${characters.size} labels for $classes classes")
        if (spec.blank >= classes) throw SidecarException("blank is class ${spec.blank}, the output has $classes classes")
    }

    fun run(output: ByteBuffer, into: Reading) {
        val count = counted(
            Kernels.ctcGreedy(output, dtype, steps, classes, spec.blank, scale, zeroPoint, symbols, at, values), "recognition",
        )
        var total = 0.0 // one after the other in float64, as Python adds
        for (i in 0 until count) {
            into.symbols[i] = symbols.getInt(4 * i)
            total += values.getFloat(4 * i)
        }
        into.count = count
        into.score = if (count > 0) (total / count).toFloat() else 0f
    }

    fun text(reading: Reading): String = buildString { for (i in 0 until reading.count) append(characters[reading.symbols[i]]) }
}
