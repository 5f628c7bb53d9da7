package dev.mobilekit.demo

import java.nio.ByteBuffer

/** What the model said about one frame, best first. Made once, by [Postprocessor.answers], and filled anew for every frame. */
class Answers(
    /** The most answers that there can be. */
    val capacity: Int,
    boxed: Boolean = false,
    /** The most symbols that a text can have; 0 where the answers are no text. */
    symbolCapacity: Int = 0,
) {
    var count = 0

    /** The class of each; [NO_CLASS] for a text. */
    val indices = IntArray(capacity)
    val scores = FloatArray(capacity)

    /** Of detections: x1 y1 x2 y2 in pixels of the frame as stored, four an answer; else empty. */
    val boxes = FloatArray(if (boxed) 4 * capacity else 0)

    /** Of a text: the class of each character; else empty. */
    val symbols = IntArray(symbolCapacity)
    var symbolCount = 0

    /** Of the frame that the answers are about: what [boxes] are relative to. */
    var frameWidth = 0
    var frameHeight = 0
    var frameRotation = 0

    fun copyFrom(other: Answers) {
        count = other.count
        System.arraycopy(other.indices, 0, indices, 0, count)
        System.arraycopy(other.scores, 0, scores, 0, count)
        if (boxes.isNotEmpty()) System.arraycopy(other.boxes, 0, boxes, 0, 4 * count)
        symbolCount = other.symbolCount
        System.arraycopy(other.symbols, 0, symbols, 0, symbolCount)
        frameWidth = other.frameWidth
        frameHeight = other.frameHeight
        frameRotation = other.frameRotation
    }

    /** Whether answer [at] would be called the same in both: for strings that are made only when they change. */
    fun sameWords(other: Answers, at: Int): Boolean {
        if (at >= count || at >= other.count || indices[at] != other.indices[at] || symbolCount != other.symbolCount) return false
        for (i in 0 until symbolCount) if (symbols[i] != other.symbols[i]) return false
        return true
    }

    companion object {
        const val NO_CLASS = -1
    }
}

/** The model's output tensor, as it is, -> answers; one implementation a task. [run] allocates nothing after its first frame. */
interface Postprocessor {
    /** Room for what [run] finds. */
    fun answers(): Answers

    /** [plan]: of the [Preprocessor] that made the input of this [output]. */
    fun run(output: ByteBuffer, plan: ByteBuffer, into: Answers)

    /** What answer [at] is called; may make a string. */
    fun label(answers: Answers, at: Int): String
}

/** The one output tensor of a model whose scores are int8 or float32; [task] stands in the errors. */
internal class Scores(tensor: TensorSpec, task: String) {
    val dtype = DTYPES.indexOf(tensor.dtype)
    val scale = if (dtype == DTYPE_INT8) tensor.quantization?.scale?.toFloat() ?: 1f else 1f
    val zeroPoint = if (dtype == DTYPE_INT8) tensor.quantization?.zeroPoint ?: 0 else 0

    init {
        if (dtype != DTYPE_INT8 && dtype != DTYPE_FLOAT32) {
            throw SidecarException("output '${tensor.name}' is ${tensor.dtype}: $task reads int8 and float32")
        }
    }
}

internal fun checkLabels(labels: List<String>?, classes: Int) {
    if (labels != null && labels.size != classes) throw SidecarException("the sidecar has ${labels.size} labels for $classes classes")
}
