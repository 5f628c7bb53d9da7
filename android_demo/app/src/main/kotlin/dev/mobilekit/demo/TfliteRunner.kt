package dev.mobilekit.demo

import java.nio.ByteBuffer
import org.tensorflow.lite.Delegate
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.nnapi.NnApiDelegate

/**
 * A model in TensorFlow Lite: the one class that touches the runtime.
 *
 * The runtime's Java interface copies the input into its tensor and the output out of it, once each (150 kB and 1 kB for
 * MobileNetV2); everything else works in place.
 */
class TfliteRunner private constructor(
    private val interpreter: Interpreter,
    private val delegate: Delegate?,
    override val backend: String,
    override val refusal: String?,
) : ModelRunner {
    override val input: ByteBuffer = direct(interpreter.getInputTensor(0).numBytes())
    override val output: ByteBuffer = direct(interpreter.getOutputTensor(0).numBytes())
    private val inputs = arrayOf<Any>(input)
    private val outputs = mutableMapOf<Int, Any>(0 to output)

    override fun run() {
        input.whole()
        output.whole()
        interpreter.runForMultipleInputsOutputs(inputs, outputs)
    }

    override fun close() {
        interpreter.close()
        (delegate as? AutoCloseable)?.close()
    }

    companion object {
        /** Tries [wish] and falls back to the CPU, saying why. [model]: direct or mapped, kept as long as the runner. */
        fun open(model: ByteBuffer, wish: Backend, threads: Int, xnnpack: Boolean = true): TfliteRunner {
            var refusal: String? = null
            if (wish != Backend.CPU) {
                try {
                    val delegate = delegateOf(wish)
                    try {
                        return open(model, threads, xnnpack = false, delegate, "$wish (nodes that it refuses run on the CPU)", null)
                    } catch (error: Throwable) {
                        (delegate as? AutoCloseable)?.close()
                        throw error
                    }
                } catch (error: Throwable) { // a delegate's own library may also be missing: a LinkageError
                    refusal = "$wish: ${error.message ?: error.javaClass.simpleName}"
                }
            }
            val how = if (xnnpack) "XNNPACK" else "reference kernels"
            val words = "CPU ($how), $threads thread${if (threads > 1) "s" else ""}"
            return try {
                open(model, threads, xnnpack, null, words, refusal)
            } catch (error: IllegalArgumentException) {
                throw ModelException(error.message ?: "the runtime does not take this model")
            } catch (error: IllegalStateException) {
                throw ModelException(error.message ?: "the runtime does not take this model")
            } catch (error: LinkageError) {
                throw ModelException("the runtime's library cannot be loaded: ${error.message}")
            }
        }

        private fun open(
            model: ByteBuffer, threads: Int, xnnpack: Boolean, delegate: Delegate?, words: String, refusal: String?,
        ): TfliteRunner {
            val options = Interpreter.Options().setNumThreads(threads).setUseXNNPACK(xnnpack)
            if (delegate != null) options.addDelegate(delegate)
            val interpreter = Interpreter(model, options)
            if (interpreter.inputTensorCount != 1) {
                val count = interpreter.inputTensorCount
                interpreter.close()
                throw ModelException("the model takes $count inputs, a camera gives one image")
            }
            interpreter.allocateTensors()
            return TfliteRunner(interpreter, delegate, words, refusal)
        }

        private fun delegateOf(wish: Backend): Delegate = when (wish) {
            Backend.NNAPI -> NnApiDelegate()
            // Not in the APK that build.py makes: its Java half is only in Google's own repository. Gradle's build may add it.
            Backend.GPU -> try {
                Class.forName("org.tensorflow.lite.gpu.GpuDelegate").getDeclaredConstructor().newInstance() as Delegate
            } catch (_: ClassNotFoundException) {
                throw ModelException("this app was built without tensorflow-lite-gpu")
            }
            Backend.CPU -> error("the CPU needs no delegate")
        }
    }
}
