package dev.mobilekit.demo

import java.nio.ByteBuffer

/** What runs a model. The app knows only this; tests put something else in its place. */
interface ModelRunner : AutoCloseable {
    /** The tensor to write, direct; its bytes are the input of the next [run]. */
    val input: ByteBuffer

    /** The tensor to read after [run], direct. */
    val output: ByteBuffer

    /** What really runs, in words, e.g. "CPU (XNNPACK), 2 threads". */
    val backend: String

    /** Why the backend that was wished for does not run; null where it does. */
    val refusal: String?

    fun run()
}

/** Where the user would like the model to run. */
enum class Backend { CPU, GPU, NNAPI }

/** The model cannot be loaded; the message is the runtime's own and names what it does not know. */
class ModelException(message: String) : Exception(message)
