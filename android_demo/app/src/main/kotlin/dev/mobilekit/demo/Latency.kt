package dev.mobilekit.demo

import kotlin.math.ceil

internal const val NS_PER_MS = 1_000_000L
internal const val NS_PER_S = 1_000_000_000L

/**
 * The display: vsync n is at [phaseNs] + n / [refreshHz], and a frame is presented at the first vsync that comes at least
 * [leadNs] after it was drawn. *Modelled*: Android tells an app when it may draw, not when its pixels lit up
 * (SurfaceControl's present fences can be read from API 35 on, and only for surfaces of one's own). As mobilekit/bench/display.py.
 */
class Display(val refreshHz: Double, val phaseNs: Long, val leadNs: Long = 10_500_000L) {
    private val periodNs = NS_PER_S / refreshHz

    /** The middle row of the panel lights up half a refresh period after the first. */
    val halfScanOutNs: Long = Math.rint(periodNs / 2).toLong()

    fun vsyncNs(number: Long): Long = phaseNs + Math.rint(number * periodNs).toLong()

    /** The number of that vsync. */
    fun firstVsyncAtOrAfter(timeNs: Long): Long {
        var number = ceil((timeNs - phaseNs) / periodNs).toLong()
        // The division is a double and the vsync is rounded: either may be off by one at a boundary.
        while (vsyncNs(number) < timeNs) number++
        while (vsyncNs(number - 1) >= timeNs) number--
        return number
    }

    fun presentNs(drawnNs: Long): Long = vsyncNs(firstVsyncAtOrAfter(drawnNs + leadNs))
}

/** What happened to the light before the app got the frame. */
class Exposure(val exposureNs: Long, val skewNs: Long)

/**
 * Live latency, both metrics, over the last [SIZE] values: of the delivered frames, and of what the screen shows at every vsync.
 * Fixed arrays; percentiles are worked out only when somebody looks.
 */
class LatencyMeter {
    private val delivered = Ring()
    private val age = Ring()
    private val stages = Array(STAGES.size) { Ring() }
    private var shownStartNs = Long.MIN_VALUE
    private var shownPresentNs = 0L

    /** A result was drawn at [drawnNs] and is presented at [presentNs]; [startNs]: mid exposure of its centre row. */
    fun onShown(times: FrameTimes, startNs: Long, drawnNs: Long, presentNs: Long, halfScanOutNs: Long) {
        delivered.add(presentNs + halfScanOutNs - startNs)
        stages[0].add(times.dueNs - startNs)
        stages[1].add(times.takenNs - times.dueNs)
        stages[2].add(times.preprocessedNs - times.takenNs)
        stages[3].add(times.inferredNs - times.preprocessedNs)
        stages[4].add(times.postprocessedNs - times.inferredNs)
        stages[5].add(drawnNs - times.postprocessedNs)
        stages[6].add(presentNs + halfScanOutNs - drawnNs)
        shownStartNs = startNs
        shownPresentNs = presentNs
    }

    /** A vsync at [vsyncNs]: a stalled worker leaves an old result on the screen, and this grows with it. */
    fun onVsync(vsyncNs: Long, halfScanOutNs: Long) {
        if (shownStartNs != Long.MIN_VALUE && vsyncNs >= shownPresentNs) age.add(vsyncNs + halfScanOutNs - shownStartNs)
    }

    fun clear() {
        delivered.clear()
        age.clear()
        stages.forEach(Ring::clear)
        shownStartNs = Long.MIN_VALUE
    }

    val deliveredP50Ms: Double get() = delivered.percentileMs(50)
    val deliveredP90Ms: Double get() = delivered.percentileMs(90)
    val ageP50Ms: Double get() = age.percentileMs(50)
    val ageP90Ms: Double get() = age.percentileMs(90)
    val count: Int get() = delivered.count

    /** p50 of the stage [index] of [STAGES]. */
    fun stageP50Ms(index: Int): Double = stages[index].percentileMs(50)

    companion object {
        /** Ten seconds at 30 fps. */
        const val SIZE = 300
        val STAGES = listOf("sensor", "wait", "preprocess", "inference", "postprocess", "draw", "display")
    }

    private class Ring {
        private val values = LongArray(SIZE)
        private val sorted = LongArray(SIZE)
        private var next = 0
        var count = 0
            private set

        fun add(value: Long) {
            values[next] = value
            next = (next + 1) % SIZE
            if (count < SIZE) count++
        }

        fun clear() {
            next = 0
            count = 0
        }

        /** Nearest rank: a value that occurred; NaN before the first. */
        fun percentileMs(percent: Int): Double {
            if (count == 0) return Double.NaN
            System.arraycopy(values, 0, sorted, 0, count)
            java.util.Arrays.sort(sorted, 0, count)
            return sorted[maxOf(0, ceil(percent / 100.0 * count).toInt() - 1)] / NS_PER_MS.toDouble()
        }
    }
}
