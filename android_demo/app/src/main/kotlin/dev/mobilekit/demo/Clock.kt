package dev.mobilekit.demo

/**
 * From the camera's clock to that of [System.nanoTime].
 *
 * A camera whose timestamp source is REALTIME counts like elapsedRealtimeNanos, which goes on in deep sleep; nanoTime does not.
 * The difference of the two is read between two readings of the one, three times, and the tightest is kept.
 */
class CameraClock(private val elapsedRealtimeNanos: () -> Long, private val nanoTime: () -> Long = System::nanoTime) {
    private var offsetNs = 0L
    private var sampledNs = Long.MIN_VALUE

    /** [cameraNs] in the clock of nanoTime. */
    fun toNanoTime(cameraNs: Long): Long {
        val now = nanoTime()
        if (sampledNs == Long.MIN_VALUE || now - sampledNs > RESAMPLE_NS) sample()
        return cameraNs - offsetNs
    }

    private fun sample() {
        var tightest = Long.MAX_VALUE
        repeat(3) {
            val before = nanoTime()
            val elapsed = elapsedRealtimeNanos()
            val after = nanoTime()
            if (after - before < tightest) {
                tightest = after - before
                offsetNs = elapsed - (before + after) / 2
                sampledNs = after
            }
        }
    }

    private companion object {
        // The clocks part only while the phone sleeps; a second is soon enough to see that.
        const val RESAMPLE_NS = 1_000_000_000L
    }
}
