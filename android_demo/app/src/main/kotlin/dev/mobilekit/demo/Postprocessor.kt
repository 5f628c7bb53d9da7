package dev.mobilekit.demo

import java.nio.ByteBuffer
import kotlin.math.min

/** What the model said about one frame. Made once and filled anew for every frame. */
class Answers(capacity: Int) {
    var count = 0
    val indices = IntArray(capacity)
    val scores = FloatArray(capacity)

    fun copyFrom(other: Answers) {
        count = other.count
        System.arraycopy(other.indices, 0, indices, 0, count)
        System.arraycopy(other.scores, 0, scores, 0, count)
    }
}

/** Class scores -> the best answers, best first; the same arithmetic as mobilekit/tasks/classification.py. */
class Postprocessor(spec: ClassificationSpec, tensor: TensorSpec, private val labels: List<String>?) {
    private val classes = tensor.elements
    private val dtype = DTYPES.indexOf(tensor.dtype)
    private val scale = if (dtype == DTYPE_INT8) tensor.quantization?.scale?.toFloat() ?: 1f else 1f
    private val zeroPoint = if (dtype == DTYPE_INT8) tensor.quantization?.zeroPoint ?: 0 else 0
    private val softmax = spec.softmax
    private val indices = direct(4 * min(spec.k, classes))
    private val values = direct(4 * min(spec.k, classes))
    private val probabilities = direct(4 * classes)

    /** How many answers there are. */
    val k: Int = min(spec.k, classes)

    init {
        if (dtype != DTYPE_INT8 && dtype != DTYPE_FLOAT32) {
            throw SidecarException("output '${tensor.name}' is ${tensor.dtype}: classification reads int8 and float32 scores")
        }
        if (tensor.shape.count { it > 1 } > 1) throw SidecarException("output '${tensor.name}' is ${tensor.shape}: no class scores")
        if (labels != null && labels.size != classes) {
            throw SidecarException("the sidecar has ${labels.size} labels for $classes classes")
        }
    }

    /** Reads [output], the model's tensor as it is. */
    fun run(output: ByteBuffer, into: Answers) {
        Kernels.check(Kernels.topK(output, dtype, classes, k, scale, zeroPoint, indices, values), "top k")
        if (softmax) Kernels.check(Kernels.softmax(output, dtype, classes, scale, probabilities), "softmax")
        into.count = k
        for (i in 0 until k) {
            val index = indices.getInt(4 * i)
            into.indices[i] = index
            into.scores[i] = if (softmax) probabilities.getFloat(4 * index) else values.getFloat(4 * i)
        }
    }

    fun label(index: Int): String = labels?.get(index) ?: "class $index"
}
