package dev.mobilekit.demo

import android.content.res.AssetManager
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.security.MessageDigest

/** A .tflite file, mapped, with its sidecar. */
class Model(val data: ByteBuffer, val sidecar: Sidecar) {
    val preprocess: PreprocessSpec

    init {
        val name = sidecar.model
        if (sidecar.inputs.size != 1) throw SidecarException("'$name' takes ${sidecar.inputs.size} inputs, a camera gives one image")
        preprocess = sidecar.preprocess ?: throw SidecarException("the sidecar of '$name' does not say how pictures become inputs")
        val task = sidecar.task ?: throw SidecarException("the sidecar of '$name' does not say what its outputs mean")
        if (sidecar.outputs.size != 1) throw SidecarException("'$name' has ${sidecar.outputs.size} outputs, $task reads one")
        val digest = MessageDigest.getInstance("SHA-256").also { it.update(data.duplicate()) }.digest()
        val sha256 = digest.joinToString("") { "%02x".format(it) }
        if (sha256 != sidecar.sha256) throw SidecarException("the sidecar describes another file than the model beside it (sha256 differs)")
    }

    fun pipeline(runner: ModelRunner): Pipeline = Pipeline(
        Preprocessor(preprocess, sidecar.inputs[0]), runner, postprocessor(), sidecar.outputs[0].bytes,
    )

    /** The task that the sidecar names. */
    fun postprocessor(): Postprocessor {
        val (output, labels) = sidecar.outputs[0] to sidecar.labels
        sidecar.classification?.let { return Classifier(it, output, labels) }
        sidecar.detection?.let { return Detector(it, output, labels) }
        sidecar.recognition?.let { return Recognizer(it, output, labels) }
        throw SidecarException("'${sidecar.model}' is for ${sidecar.task}: this app shows classification, detection and recognition")
    }

    companion object {
        /** From the app itself; stored uncompressed, so that it is mapped and not read. */
        fun ofAssets(assets: AssetManager): Model = load("the app's model") {
            val data = assets.openFd("model.tflite").use { asset ->
                FileInputStream(asset.fileDescriptor).channel.use {
                    it.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
                }
            }
            Model(data, Sidecar.parse(assets.open("model.json").reader().use { it.readText() }, "model.json"))
        }

        /** A file that adb pushed, and the sidecar beside it. */
        fun ofFile(file: File): Model = load("'$file'") {
            val data = FileInputStream(file).channel.use { it.map(FileChannel.MapMode.READ_ONLY, 0, it.size()) }
            val sidecar = File(file.path.removeSuffix(".tflite") + ".json")
            Model(data, Sidecar.parse(sidecar.readText(), sidecar.name))
        }

        private fun load(what: String, read: () -> Model): Model = try {
            read()
        } catch (error: FileNotFoundException) {
            throw ModelException("$what or its sidecar is missing: ${error.message}")
        } catch (error: IOException) {
            throw ModelException("$what cannot be read: ${error.message}")
        }
    }
}
