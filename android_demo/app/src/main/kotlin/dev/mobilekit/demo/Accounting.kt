package dev.mobilekit.demo

import kotlin.math.ceil

/**
 * From the times of every frame to the two metrics; the same sums as mobilekit/bench/accounting.py, and a test gives both the
 * same recording. A [Recording] holds plain arrays, so that a run of any length costs no object a frame.
 */
class Recording(private val capacity: Int) {
    var frames = 0
        private set
    val sensorNs = LongArray(capacity)
    val exposureNs = LongArray(capacity)
    val skewNs = LongArray(capacity)
    val dueNs = LongArray(capacity)
    val takenNs = LongArray(capacity)
    val preprocessedNs = LongArray(capacity)
    val inferredNs = LongArray(capacity)
    val postprocessedNs = LongArray(capacity)
    val drawnNs = LongArray(capacity)

    /** Of every frame that the camera handed over, processed or not. */
    val allDueNs = LongArray(capacity)
    var due = 0
        private set

    @Synchronized
    fun onDue(ns: Long) {
        if (due < capacity) allDueNs[due++] = ns
    }

    @Synchronized
    fun onDrawn(times: FrameTimes, exposure: Exposure, drawn: Long) {
        if (frames == capacity) return
        sensorNs[frames] = times.sensorNs
        exposureNs[frames] = exposure.exposureNs
        skewNs[frames] = exposure.skewNs
        dueNs[frames] = times.dueNs
        takenNs[frames] = times.takenNs
        preprocessedNs[frames] = times.preprocessedNs
        inferredNs[frames] = times.inferredNs
        postprocessedNs[frames] = times.postprocessedNs
        drawnNs[frames] = drawn
        frames++
    }
}

/** Percentiles of one series in milliseconds; nearest rank, so each is a value that occurred. */
class Summary(val name: String, val provenance: String, values: List<Double>) {
    /** Rounded to 0.1 us first, so that the figures can be recomputed from the report. */
    val valuesMs = values.map { Math.rint(it * 1e4) / 1e4 }
    val mean = valuesMs.sum() / valuesMs.size
    val stdev = if (valuesMs.size > 1) {
        Math.sqrt(valuesMs.sumOf { (it - mean) * (it - mean) } / (valuesMs.size - 1))
    } else {
        0.0
    }
    private val ordered = valuesMs.sorted()

    fun percentile(percent: Int): Double = ordered[maxOf(0, ceil(percent / 100.0 * ordered.size).toInt() - 1)]
}

/** The figures of one recording. */
class Account(
    val delivered: Summary,
    val age: Summary,
    val stages: List<Summary>,
    val framesDue: Int,
    val framesDelivered: Int,
    val framesOverwritten: Int,
    val framesSuperseded: Int,
    val droppedPercent: Double,
    val jankPercent: Double,
    val resultFps: Double,
    val driftPercent: Double?,
)

/** No counted frame reached the screen. */
class NothingShown(message: String) : Exception(message)

private const val MEASURED = "measured"
private const val MODELLED = "modelled"
private const val MIXED = "measured + modelled"

// A tenth of the run needs this many frames before its median says anything about drift.
private const val DRIFT_FRAMES = 20

/** [startNs] to [endNs]: frames due and vsyncs in this window count; what came before filled the pipeline. */
fun account(r: Recording, display: Display, startNs: Long, endNs: Long, exposureMeasured: Boolean): Account {
    // Of several results ready for one vsync, the last is shown.
    val presents = LongArray(r.frames) { display.presentNs(r.drawnNs[it]) }
    val shown = (0 until r.frames).filter { it + 1 == r.frames || presents[it + 1] != presents[it] }
    val counted = shown.filter { r.dueNs[it] in startNs until endNs }
    val due = (0 until r.due).count { r.allDueNs[it] in startNs until endNs }
    val processed = (0 until r.frames).count { r.dueNs[it] in startNs until endNs }
    if (counted.isEmpty()) throw NothingShown("no frame reached the screen in ${(endNs - startNs) / NS_PER_S} s")
    fun start(i: Int) = r.sensorNs[i] + (r.exposureNs[i] + r.skewNs[i]) / 2
    fun ms(values: List<Long>) = values.map { it / NS_PER_MS.toDouble() }

    val latencies = counted.map { presents[it] + display.halfScanOutNs - start(it) }
    val ages = ArrayList<Long>()
    var latest = -1
    var number = display.firstVsyncAtOrAfter(startNs)
    while (display.vsyncNs(number) < endNs) {
        val vsync = display.vsyncNs(number++)
        while (latest + 1 < shown.size && presents[shown[latest + 1]] <= vsync) latest++
        if (latest >= 0) ages.add(vsync + display.halfScanOutNs - start(shown[latest]))
    }
    if (ages.isEmpty()) throw NothingShown("no frame reached the screen before the run ended: run longer with --seconds")

    fun stage(name: String, provenance: String, nanoseconds: (Int) -> Long) = Summary(name, provenance, ms(counted.map(nanoseconds)))
    val sensor = if (exposureMeasured) MEASURED else MODELLED
    // Each from the point where the one before it ended: they add up to the latency exactly.
    fun exposed(i: Int) = (r.exposureNs[i] + r.skewNs[i]) - (r.exposureNs[i] + r.skewNs[i]) / 2
    val stages = listOf(
        stage("exposure", sensor) { exposed(it) },
        stage("readout + ISP", if (exposureMeasured) MEASURED else MIXED) { r.dueNs[it] - start(it) - exposed(it) },
        stage("mailbox wait", MEASURED) { r.takenNs[it] - r.dueNs[it] },
        stage("preprocess", MEASURED) { r.preprocessedNs[it] - r.takenNs[it] },
        stage("inference", MEASURED) { r.inferredNs[it] - r.preprocessedNs[it] },
        stage("postprocess", MEASURED) { r.postprocessedNs[it] - r.inferredNs[it] },
        stage("draw", MEASURED) { r.drawnNs[it] - r.postprocessedNs[it] },
        stage("latch wait", MODELLED) { presents[it] - display.leadNs - r.drawnNs[it] },
        stage("composition", MODELLED) { display.leadNs },
        stage("scan-out", MODELLED) { display.halfScanOutNs },
    )
    val inWindow = shown.count { presents[it] in startNs until endNs }
    // Predicted: the vsync that the frame would have made with the run's median time from due to drawn.
    val usual = Math.rint(median(counted.map { (r.drawnNs[it] - r.dueNs[it]).toDouble() })).toLong()
    val janky = counted.count { presents[it] > display.presentNs(r.dueNs[it] + usual) }
    return Account(
        delivered = Summary("camera to screen, delivered frames", MIXED, ms(latencies)),
        age = Summary("age of what the screen shows, every vsync", MIXED, ms(ages)),
        stages = stages,
        framesDue = due,
        framesDelivered = counted.size,
        framesOverwritten = due - processed,
        framesSuperseded = processed - counted.size,
        droppedPercent = 100.0 * (due - counted.size) / due,
        jankPercent = 100.0 * janky / counted.size,
        resultFps = inWindow * NS_PER_S.toDouble() / (endNs - startNs),
        driftPercent = drift(counted.map { r.postprocessedNs[it] - r.takenNs[it] }),
    )
}

private fun median(values: List<Double>): Double {
    val ordered = values.sorted()
    val middle = ordered.size / 2
    return if (ordered.size % 2 == 1) ordered[middle] else (ordered[middle - 1] + ordered[middle]) / 2
}

/** p50 of the work on a frame, last tenth against first; null where the run is too short to tell. */
private fun drift(workNs: List<Long>): Double? {
    val tenth = workNs.size / 10
    if (tenth < DRIFT_FRAMES) return null
    fun p50(values: List<Long>) = values.sorted()[maxOf(0, ceil(0.5 * values.size).toInt() - 1)].toDouble()
    val first = p50(workNs.take(tenth))
    return 100 * (p50(workNs.takeLast(tenth)) - first) / first
}
