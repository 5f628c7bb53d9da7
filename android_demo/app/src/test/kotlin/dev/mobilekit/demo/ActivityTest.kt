package dev.mobilekit.demo

import android.Manifest
import android.app.AlertDialog
import android.content.Intent
import android.content.res.Configuration
import android.hardware.camera2.CameraAccessException
import android.os.Bundle
import android.view.View
import android.widget.EditText
import android.widget.TextView
import java.io.File
import java.nio.file.Files
import java.nio.file.Paths
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.shadows.ShadowAlertDialog
import org.robolectric.shadows.ShadowLog

class ActivityTest : AppTest() {
    @Test
    fun `asks for the camera once and runs when it is granted later`() {
        val controller = launch()
        val activity = controller.get()
        assertEquals(Manifest.permission.CAMERA, shadowOf(activity).lastRequestedPermission.requestedPermissions.single())
        assertTrue(message(activity)!!.startsWith("The camera is not allowed"))
        assertEquals(0, source.starts)
        allow()
        activity.onRequestPermissionsResult(1, arrayOf(Manifest.permission.CAMERA), intArrayOf(0))
        surface(activity)
        assertEquals(1, source.starts)
        assertNull(message(activity))
        controller.pause().stop().destroy()
    }

    @Test
    fun `stops in the background and comes back`() {
        allow()
        val controller = launch()
        assertEquals(1, source.starts)
        controller.pause().stop()
        assertEquals(1, source.stops)
        assertTrue(runners.single().closed)
        controller.restart().resume()
        assertEquals(2, source.starts)
        controller.pause().stop().destroy()
    }

    @Test
    fun `goes on in a split screen while the other half has the focus`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        shadowOf(activity).setInMultiWindowMode(true)
        controller.pause()
        assertEquals(0, source.stops)
        source.give()
        wait("an answer") { activity.findViewById<View>(R.id.overlay).contentDescription != null }
        // Dragging the divider makes the activity anew, in another size.
        val half = Configuration(activity.resources.configuration).apply {
            screenHeightDp /= 2
            screenLayout = screenLayout xor Configuration.SCREENLAYOUT_LONG_MASK
        }
        controller.resume()
        controller.configurationChange(half)
        val again = controller.get()
        drawn = again
        surface(again)
        source.give()
        wait("an answer") { again.findViewById<View>(R.id.overlay).contentDescription == "class 7" }
        controller.pause().stop().destroy()
    }

    @Test
    fun `shows what a detector finds`() {
        // One anchor of yolov8: centre and size in pixels of the 8 x 8 input, two classes. Quantization is 1 where none is told.
        model(
            "[1, 6, 1]", """{"kind": "detection", "decoder": "yolov8", "score_threshold": 0.5}""", """["cat", "dog"]""",
            byteArrayOf(2, 2, 2, 2, 0, 1),
        )
        allow()
        val controller = launch()
        val overlay = controller.get().findViewById<View>(R.id.overlay)
        source.give()
        wait("a detection") { overlay.contentDescription == "dog" }
        controller.pause().stop().destroy()
    }

    @Test
    fun `shows what is read`() {
        model(
            "[1, 4, 3]", """{"kind": "recognition"}""", """["", "o", "k"]""",
            byteArrayOf(0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1), // o o - k
        )
        allow()
        val controller = launch()
        val overlay = controller.get().findViewById<View>(R.id.overlay)
        source.give()
        wait("a text") { overlay.contentDescription == "ok" }
        overlay.performClick()
        (ShadowAlertDialog.getLatestDialog() as AlertDialog).getButton(AlertDialog.BUTTON_NEUTRAL).performClick()
        val file = File(application.getExternalFilesDir(null), EventLog.FILE)
        wait("the event") { file.exists() && file.readLines().size == 2 }
        val lines = file.readLines().map(::JSONObject)
        assertEquals(listOf("shown", "accepted"), lines.map { it.getString("event") })
        assertEquals(listOf("ok" to -1, "ok" to -1), lines.map { it.getString("label") to it.getInt("index") })
        controller.pause().stop().destroy()
    }

    @Test
    fun `says which sidecar it cannot use and why`() {
        files(ByteArray(16), sidecar(version = 2))
        assertEquals("net.json has version 2, this app reads 1: install a newer app", saidAtLaunch())
        files(ByteArray(16), sidecar(sha256 = SHA256_OF_16_ZEROS, postprocess = """{"kind": "segmentation"}"""))
        assertEquals("'net' is for segmentation: this app shows classification, detection and recognition", saidAtLaunch())
        files(ByteArray(16), sidecar(sha256 = SHA256_OF_16_ZEROS, postprocess = null))
        assertEquals("the sidecar of 'net' does not say what its outputs mean", saidAtLaunch())
        files(ByteArray(16), "{")
        assertTrue(saidAtLaunch()!!.startsWith("net.json is not JSON"))
        files(ByteArray(16), null)
        assertTrue(saidAtLaunch()!!.contains("its sidecar is missing"))
        files(null, sidecar())
        assertTrue(saidAtLaunch()!!.contains("net.tflite' or its sidecar is missing"))
        assertEquals(0, source.starts)
    }

    @Test
    fun `says that the model is not the one that the sidecar describes`() {
        files(ByteArray(15), sidecar(sha256 = SHA256_OF_16_ZEROS))
        assertEquals("the sidecar describes another file than the model beside it (sha256 differs)", saidAtLaunch())
    }

    @Test
    fun `names what the runtime does not take`() {
        // The words are TensorFlow Lite's own; its library does not load here, the fake throws what TfliteRunner makes of them.
        val said = "Internal error: Cannot create interpreter: Didn't find op for builtin opcode 'STABLEHLO_COMPOSITE' version '1'."
        Wiring.runner = { _, _, _, _ -> throw ModelException(said) }
        assertEquals(said, saidAtLaunch())
    }

    @Test
    fun `says that the runtime cannot be loaded`() {
        Wiring.runner = { data, wish, threads, xnnpack -> TfliteRunner.open(data, wish, threads, xnnpack) }
        assertTrue(saidAtLaunch()!!, saidAtLaunch()!!.startsWith("the runtime's library cannot be loaded"))
    }

    @Test
    fun `refuses a model whose input is no image`() {
        val model = ByteArray(16)
        files(model, sidecar(sha256 = sha256(model), inputShape = "[1, 16000]"))
        Wiring.runner = { _, _, _, _ -> FakeRunner(16000, ByteArray(10)).also(runners::add) }
        assertEquals("the preprocessing makes 8x8 pixels of 3 channels, but input 'in' is [1, 16000]", saidAtLaunch())
    }

    @Test
    fun `refuses a model that is not as the sidecar says`() {
        val model = ByteArray(16)
        files(model, sidecar(sha256 = sha256(model)))
        Wiring.runner = { _, _, _, _ -> FakeRunner(8 * 8 * 3, ByteArray(11)).also(runners::add) }
        assertEquals("the sidecar describes an output of 10 bytes, the model gives 11", saidAtLaunch())
    }

    @Test
    fun `says that the camera is in use and runs when it is free`() {
        allow()
        fun words(reason: Int) = words(CameraAccessException(reason))
        source.first = CameraState.Lost(words(CameraAccessException.CAMERA_IN_USE))
        val controller = launch()
        val activity = controller.get()
        wait("the message") { message(activity) == "the camera is gone: it is in use" }
        source.listener!!.onState(CameraState.Running)
        source.give()
        wait("an answer") { activity.findViewById<View>(R.id.overlay).contentDescription != null && message(activity) == null }
        assertEquals("too many cameras are in use", words(CameraAccessException.MAX_CAMERAS_IN_USE))
        assertEquals("the device's policy disables it", words(CameraAccessException.CAMERA_DISABLED))
        controller.pause().stop().destroy()
    }

    @Test
    fun `tells of a new answer once and of a flickering one twice a second`() {
        var time = 0L
        val file = File(application.filesDir, "flicker.jsonl")
        val log = EventLog(file, "0", { it.run() }, { throw AssertionError(it) }, { time })
        for (frame in 0 until 60) { // two seconds at 30 fps
            time = frame * 1000L / 30
            log.shown(frame % 2, "class ${frame % 2}", 0.5f)
        }
        // At 0 and then as soon as half a second has gone by with another answer on the screen than the last.
        assertTrue("${file.readLines().size}", file.readLines().size in 3..4)
        val before = file.readLines().size
        repeat(60) { time += 33; log.shown(9, "class 9", 0.5f) }
        assertEquals(before + 1, file.readLines().size)
        log.shown(8, "class 8", 0.5f, atOnce = true)
        log.shown(7, "class 7", 0.5f, atOnce = true)
        assertEquals(before + 3, file.readLines().size)
    }

    @Test
    fun `says that the storage is full`() {
        allow()
        full(EventLog.FILE)
        source.fps = 30
        val controller = launch()
        val activity = controller.get()
        wait("the message") { message(activity)?.startsWith("the event was not kept: ") ?: false }
        assertTrue(message(activity)!!, message(activity)!!.contains("No space left"))
        assertEquals("class 7", activity.findViewById<View>(R.id.overlay).contentDescription)
        controller.pause().stop().destroy()
    }

    @Test
    fun `a bench that cannot write leaves no half report`() {
        full(".run-6.json.part")
        val (controller, folder) = bench { putExtra("run_id", "run-6") }
        assertTrue(controller.get().isFinishing)
        assertEquals(emptyList<String>(), folder.list()!!.filter { it.contains("run-6") })
        val said = ShadowLog.getLogsForTag("mobilekit").single { it.msg.startsWith("the report cannot be") }
        assertTrue(said.throwable.message!!, said.throwable.message!!.contains("No space left"))
        controller.destroy()
    }

    /** A file that opens and takes nothing: ENOSPC from the kernel itself. */
    private fun full(name: String) {
        val folder = application.getExternalFilesDir(null)!!
        Files.createSymbolicLink(File(folder, name).toPath(), Paths.get("/dev/full"))
    }

    @Test
    fun `shows the answer of a frame`() {
        allow()
        val controller = launch()
        val overlay = controller.get().findViewById<View>(R.id.overlay)
        source.give()
        wait("an answer") { overlay.contentDescription != null }
        assertEquals("class 7", overlay.contentDescription)
        controller.pause().stop().destroy()
    }

    @Test
    fun `turns to the other camera and keeps it over a rotation`() {
        allow()
        val controller = launch()
        controller.get().findViewById<View>(R.id.flip).performClick()
        assertEquals(listOf(Facing.BACK, Facing.BACK, Facing.FRONT), facings)
        val state = Bundle()
        controller.pause().saveInstanceState(state).stop().destroy()
        facings.clear()
        val turned = Robolectric.buildActivity(MainActivity::class.java).setup(state)
        surface(turned.get())
        assertEquals(setOf(Facing.FRONT), facings.toSet())
        turned.pause().stop().destroy()
    }

    @Test
    fun `says why the wished-for backend does not run`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        activity.findViewById<View>(R.id.backend).performClick()
        assertEquals(Backend.GPU, wishes.last())
        val figures = activity.findViewById<TextView>(R.id.figures)
        source.fps = 30
        source.give()
        wait("the figures") { figures.text.contains("GPU") }
        assertTrue(figures.text.toString(), figures.text.contains("a fake") && figures.text.contains("GPU: not in this test"))
        assertTrue(figures.text.contains("camera to screen p50") && figures.text.contains("age of what is shown p50"))
        controller.pause().stop().destroy()
    }

    @Test
    fun `says that the camera is gone and goes on when it is back`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        source.listener!!.onState(CameraState.Lost("another app took it"))
        wait("the message") { message(activity) == "the camera is gone: another app took it" }
        source.listener!!.onState(CameraState.Running)
        wait("the message to go") { message(activity) == null }
        controller.pause().stop().destroy()
    }

    @Test
    fun `names what kernels refuse and survives it`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        val short = direct(10)
        source.listener!!.onFrame(FakeFrame(640, 480, short, short, short, 640, 640, 640, 2, 90))
        wait("the message") { message(activity) == "preprocess: MK_ERROR_BUFFER_TOO_SMALL" }
        source.listener!!.onFrame(FakeFrame(0, 480, short, short, short, 640, 640, 640, 2, 90))
        wait("the message") { message(activity) == "preprocess: MK_ERROR_SIZE" }
        // Rows that overlap, and chroma whose pixels lie in no order that there is.
        val whole = direct(640 * 480)
        source.listener!!.onFrame(FakeFrame(640, 480, whole, whole, whole, 639, 640, 640, 2, 90))
        wait("the message") { message(activity) == "preprocess: MK_ERROR_ROW_STRIDE" }
        source.listener!!.onFrame(FakeFrame(640, 480, whole, whole, whole, 640, 640, 640, 3, 90))
        wait("the message") { message(activity) == "preprocess: MK_ERROR_PIXEL_STRIDE" }
        source.give()
        wait("an answer") { activity.findViewById<View>(R.id.overlay).contentDescription != null }
        controller.pause().stop().destroy()
    }

    @Test
    fun `says that there is no camera`() {
        allow()
        noCamera = "this device has no back camera"
        val controller = launch()
        assertEquals("this device has no back camera", message(controller.get()))
        controller.pause().stop().destroy()
    }

    @Test
    fun `keeps a correction in the log`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        val overlay = activity.findViewById<View>(R.id.overlay)
        source.give()
        wait("an answer") { overlay.contentDescription != null }
        overlay.performClick()
        val dialog = ShadowAlertDialog.getLatestDialog() as AlertDialog
        dialog.findViewById<EditText>(R.id.correction).setText("teapot")
        dialog.getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        wait("the event") { File(activity.getExternalFilesDir(null), EventLog.FILE).readLines().size > 1 }
        val lines = File(activity.getExternalFilesDir(null), EventLog.FILE).readLines().map(::JSONObject)
        assertEquals(listOf("shown", "corrected"), lines.map { it.getString("event") })
        assertEquals("teapot", lines[1].getString("correction"))
        assertEquals("class 7", lines[1].getString("label"))
        assertTrue(lines.all { it.getInt("version") == 1 })
        controller.pause().stop().destroy()
    }

    private fun bench(extras: Intent.() -> Unit): Pair<ActivityController<BenchActivity>, File> {
        val intent = Intent(application, BenchActivity::class.java).apply(extras)
        val controller = Robolectric.buildActivity(BenchActivity::class.java, intent).setup()
        drawn = controller.get()
        return controller to application.getExternalFilesDir(null)!!
    }

    @Test
    fun `the bench writes a report of the schema`() {
        allow()
        source.fps = 30
        val (controller, folder) = bench {
            putExtra("run_id", "run-1")
            putExtra("seconds", 1.0f)
            putExtra("warm_up", 0.05f)
            putExtra("frame_width", 640)
            putExtra("frame_height", 480)
        }
        val file = File(folder, "run-1.json")
        wait("the report", 60) { file.exists() }
        val report = JSONObject(file.readText())
        assertFalse(report.toString(), report.has("error"))
        // Python validates it against the schema: tests/android/test_jvm.py.
        System.getProperty("mobilekit.report")?.let { file.copyTo(File(it), overwrite = true) }
        controller.get().finish()
        controller.pause().stop().destroy()
    }

    @Test
    fun `the bench answers an error where it cannot run`() {
        val (controller, folder) = bench { putExtra("run_id", "run-2") }
        val error = JSONObject(File(folder, "run-2.json").readText()).getString("error")
        assertTrue(error, error.startsWith("the camera is not allowed: adb shell pm grant dev.mobilekit.demo"))
        controller.destroy()
    }

    @Test
    fun `the bench names a setting that is out of range and a missing model`() {
        allow()
        val (first, folder) = bench { putExtra("threads", 0) }
        assertEquals("threads is 0, it must be 1 to 256", JSONObject(File(folder, "mobilekit-manual.json").readText()).getString("error"))
        first.destroy()
        val (second, _) = bench { putExtra("run_id", "run-3"); putExtra("model", "/nowhere/net.tflite") }
        val error = JSONObject(File(folder, "run-3.json").readText()).getString("error")
        assertTrue(error, error.contains("/nowhere/net.tflite") && error.contains("missing"))
        second.destroy()
    }

    @Test
    fun `the bench tells of a camera that goes`() {
        allow()
        val (controller, folder) = bench { putExtra("run_id", "run-4"); putExtra("warm_up", 0.0f) }
        source.listener!!.onState(CameraState.Lost("another app took it"))
        val file = File(folder, "run-4.json")
        wait("the answer") { file.exists() }
        assertEquals("the camera is gone: another app took it", JSONObject(file.readText()).getString("error"))
        controller.pause().stop().destroy()
    }

    @Test
    fun `a run id cannot lead out of the folder`() {
        allow()
        val (controller, folder) = bench { putExtra("run_id", "../../x") }
        assertNotNull(JSONObject(File(folder, "mobilekit-manual.json").readText()).getString("error"))
        controller.destroy()
    }
}
