package dev.mobilekit.demo

import java.io.File
import java.nio.ByteBuffer
import java.lang.management.ManagementFactory
import org.json.JSONArray
import org.json.JSONObject

/**
 * What tests/android/test_jvm.py compares with Python. Reads FOLDER/cases.json, writes FOLDER/answers.json and the tensors.
 */
fun main(arguments: Array<String>) {
    val folder = File(arguments[0])
    val cases = JSONObject(File(folder, "cases.json").readText())
    val answers = JSONObject()
        .put("frames", JSONArray(cases.getJSONArray("frames").items().map { frame(it, folder) }))
        .put("scores", JSONArray(cases.getJSONArray("scores").items().map { scores(it, folder) }))
        .put("detections", JSONArray(cases.getJSONArray("detections").items().map { detections(it, folder) }))
        .put("readings", JSONArray(cases.getJSONArray("readings").items().map { reading(it, folder) }))
        .put("placements", JSONArray(cases.getJSONArray("placements").items().map(::placement)))
        .put("accounts", JSONArray(cases.getJSONArray("accounts").items().map(::accounts)))
        .put("sidecars", JSONArray(cases.getJSONArray("sidecars").let { list -> List(list.length()) { refusal(list.getString(it)) } }))
        .put("allocated", allocated(cases.getJSONObject("allocation")))
        .put("call_ns", callNs())
        .put("isa", Kernels.isa())
    File(folder, "answers.json").writeText(answers.toString())
}

/** Only boxes depend on how the input was made. */
private val NO_PLAN = direct(0)

private fun JSONArray.items() = List(length(), ::getJSONObject)

/** A file of raw bytes, from its first byte + [offset] on: an address that is not aligned, as a plane's may be. */
private fun load(file: File, offset: Int = 0): ByteBuffer {
    val bytes = file.readBytes()
    val memory = direct(bytes.size + offset)
    for (i in bytes.indices) memory.put(offset + i, bytes[i])
    return memory.also { it.position(offset) }.slice().order(java.nio.ByteOrder.nativeOrder())
}

private fun fakeFrame(case: JSONObject, folder: File): FakeFrame {
    val strides = case.getJSONArray("row_strides")
    val planes = List(3) { load(File(folder, "${case.getString("name")}.plane$it"), case.getInt("offset")) }
    return FakeFrame(
        case.getInt("width"), case.getInt("height"), planes[0], planes[1], planes[2],
        strides.getInt(0), strides.getInt(1), strides.getInt(2), case.getInt("chroma_pixel_stride"), case.getInt("rotation"),
    )
}

/** The input tensor of a frame, or why there is none. */
private fun frame(case: JSONObject, folder: File): JSONObject = try {
    val sidecar = Sidecar.parse(case.getString("sidecar"))
    val preprocessor = Preprocessor(sidecar.preprocess!!, sidecar.inputs[0])
    val input = direct(preprocessor.inputBytes)
    preprocessor.run(fakeFrame(case, folder), input)
    File(folder, "${case.getString("name")}.tensor").writeBytes(ByteArray(input.capacity()) { input.get(it) })
    JSONObject()
} catch (error: KernelException) {
    JSONObject().put("error", error.message)
}

private fun scores(case: JSONObject, folder: File): JSONObject {
    val sidecar = Sidecar.parse(case.getString("sidecar"))
    val postprocessor = Classifier(sidecar.classification!!, sidecar.outputs[0], sidecar.labels)
    val answers = postprocessor.answers()
    postprocessor.run(load(File(folder, "${case.getString("name")}.scores")), NO_PLAN, answers)
    return JSONObject()
        .put("indices", JSONArray(answers.indices.toList()))
        // The bits: JSON would round them.
        .put("bits", JSONArray(answers.scores.map { it.toRawBits() }))
        .put("labels", JSONArray(answers.indices.indices.map { postprocessor.label(answers, it) }))
}

/** A frame through the preprocessor, for its plan, and an output; then 1,000 times more, for what that allocates. */
private fun detections(case: JSONObject, folder: File): JSONObject {
    val sidecar = Sidecar.parse(case.getString("sidecar"))
    val preprocessor = Preprocessor(sidecar.preprocess!!, sidecar.inputs[0])
    val input = direct(preprocessor.inputBytes)
    val frame = fakeFrame(case, folder)
    val detector = Detector(sidecar.detection!!, sidecar.outputs[0], sidecar.labels)
    val found = detector.answers()
    val output = load(File(folder, "${case.getString("output")}.scores"))
    val bytes = allocatedBy {
        preprocessor.run(frame, input)
        detector.run(output, preprocessor.plan, found)
    }
    val n = found.count
    return JSONObject()
        .put("classes", JSONArray(found.indices.take(n)))
        .put("scores", JSONArray(found.scores.take(n).map { it.toRawBits() }))
        .put("boxes", JSONArray(found.boxes.take(4 * n).map { it.toRawBits() }))
        .put("allocated", bytes)
}

/** A box of a frame as stored -> the view. */
private fun placement(case: JSONObject): JSONArray {
    val answers = Answers(1, boxed = true)
    answers.frameWidth = case.getInt("frame_width")
    answers.frameHeight = case.getInt("frame_height")
    answers.frameRotation = case.getInt("rotation")
    case.getJSONArray("box").let { box -> repeat(4) { answers.boxes[it] = box.getDouble(it).toFloat() } }
    val placement = Placement()
    case.getJSONArray("view").let {
        placement.left = it.getDouble(0).toFloat()
        placement.top = it.getDouble(1).toFloat()
        placement.width = it.getDouble(2).toFloat()
        placement.height = it.getDouble(3).toFloat()
    }
    placement.mirrored = case.getBoolean("mirrored")
    val placed = FloatArray(4)
    placement.place(answers, 0, placed)
    return JSONArray(placed.map { it.toDouble() })
}

private fun reading(case: JSONObject, folder: File): JSONObject {
    val sidecar = Sidecar.parse(case.getString("sidecar"))
    val recognizer = Recognizer(sidecar.recognition!!, sidecar.outputs[0], sidecar.labels)
    val read = recognizer.answers()
    val output = load(File(folder, "${case.getString("output")}.scores"))
    val bytes = allocatedBy { recognizer.run(output, NO_PLAN, read) }
    return JSONObject().put("text", recognizer.label(read, 0)).put("bits", read.scores[0].toRawBits()).put("count", read.count)
        .put("symbols", JSONArray(read.symbols.take(read.symbolCount))).put("allocated", bytes)
}

/**
 * Bytes that 1,000 runs allocate on this thread, after 200 to warm up; the least of three rounds: the JVM itself may allocate once
 * (888 bytes were seen, when its compiler changed its mind), an object a frame shows in every round.
 */
private inline fun allocatedBy(once: () -> Unit): Long {
    val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
    val id = Thread.currentThread().id
    for (i in 0 until 200) once()
    var least = Long.MAX_VALUE
    for (round in 0 until 3) {
        val before = threads.getThreadAllocatedBytes(id)
        for (i in 0 until 1000) once()
        least = minOf(least, threads.getThreadAllocatedBytes(id) - before)
    }
    return least
}

private fun refusal(text: String): String = try {
    Sidecar.parse(text, "model.json")
    "read"
} catch (error: SidecarException) {
    error.message!!
}

private fun accounts(case: JSONObject): JSONObject {
    val frames = case.getJSONArray("frames")
    val recording = Recording(frames.length() + case.getJSONArray("due").length())
    case.getJSONArray("due").let { due -> repeat(due.length()) { recording.onDue(due.getLong(it)) } }
    repeat(frames.length()) { index ->
        val f = frames.getJSONArray(index)
        val times = FrameTimes().apply {
            sensorNs = f.getLong(0)
            dueNs = f.getLong(1)
            takenNs = f.getLong(2)
            preprocessedNs = f.getLong(3)
            inferredNs = f.getLong(4)
            postprocessedNs = f.getLong(5)
        }
        recording.onDrawn(times, Exposure(case.getLong("exposure"), case.getLong("skew")), f.getLong(6))
    }
    val display = Display(case.getDouble("refresh_hz"), case.getLong("phase"))
    val a = account(recording, display, case.getLong("start"), case.getLong("end"), exposureMeasured = false)
    return JSONObject()
        .put("delivered", JSONArray(a.delivered.valuesMs)).put("age", JSONArray(a.age.valuesMs))
        .put("stages", JSONObject().also { json -> a.stages.forEach { json.put(it.name, JSONArray(it.valuesMs)) } })
        .put("p99", a.delivered.percentile(99)).put("stdev", a.delivered.stdev).put("mean", a.delivered.mean)
        .put("counts", JSONArray(listOf(a.framesDue, a.framesDelivered, a.framesOverwritten, a.framesSuperseded)))
        .put("dropped", a.droppedPercent).put("jank", a.jankPercent).put("fps", a.resultFps)
        .put("drift", a.driftPercent ?: JSONObject.NULL)
}

/** Bytes that 1,000 frames allocate on the worker's thread, from the mailbox to the overlay's hands; after a warm-up of 200. */
private fun allocated(case: JSONObject): JSONObject {
    val sidecar = Sidecar.parse(case.getString("sidecar"))
    val preprocessor = Preprocessor(sidecar.preprocess!!, sidecar.inputs[0])
    val runner = FakeRunner(preprocessor.inputBytes, ByteArray(sidecar.outputs[0].elements) { (it % 100).toByte() })
    val pipeline = Pipeline(preprocessor, runner, Classifier(sidecar.classification!!, sidecar.outputs[0], sidecar.labels), sidecar.outputs[0].bytes)
    val handover = Handover(pipeline.postprocessor)
    val slot = Handover.Slot(pipeline.postprocessor)
    val mailbox = Mailbox()
    val meter = LatencyMeter()
    val exposures = Exposures()
    val exposure = Exposure(10_000_000, 20_000_000)
    val display = Display(60.0, 0)
    val frame = FakeFrame.grey(1280, 720)
    val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
    val id = Thread.currentThread().id
    fun once() {
        frame.sensorNs = System.nanoTime()
        frame.dueNs = System.nanoTime()
        exposures.put(frame.sensorNs, exposure)
        mailbox.put(frame)
        pipeline.run(mailbox.take()!!)
        handover.put(pipeline)
        handover.take(slot)
        val now = System.nanoTime()
        meter.onShown(slot.times, slot.times.sensorNs, now, display.presentNs(now), display.halfScanOutNs)
        meter.onVsync(now, display.halfScanOutNs)
        exposures.of(slot.times.sensorNs)
    }
    repeat(200) { once() }
    val before = threads.getThreadAllocatedBytes(id)
    repeat(1000) { once() }
    val after = threads.getThreadAllocatedBytes(id)
    // The counter must be able to count: an object a frame, for comparison.
    val kept = arrayOfNulls<Any>(1000)
    val start = threads.getThreadAllocatedBytes(id)
    repeat(1000) { once(); kept[it] = LongArray(1) }
    val control = threads.getThreadAllocatedBytes(id) - start
    return JSONObject().put("frames", 1000).put("bytes", after - before).put("control_bytes", control).put("closed", frame.closed)
}

/** Nanoseconds of one call with six buffers that a kernel refuses at once: what crossing into native code costs. */
private fun callNs(): Double {
    val plan = direct(Kernels.planBytes())
    Kernels.writePlan(plan, IntArray(20), DoubleArray(4), FloatArray(9))
    val buffer = direct(64)
    val calls = 200_000
    fun round(): Double {
        val start = System.nanoTime()
        for (i in 0 until calls) Kernels.preprocess(plan, buffer, buffer, buffer, buffer, buffer)
        return (System.nanoTime() - start) / calls.toDouble()
    }
    round()
    return List(7) { round() }.min()
}
