package dev.mobilekit.demo

/**
 * One slot between camera and worker. A new frame replaces the old one, which is closed and counted; nobody waits to put.
 *
 * A monitor, not a lock of java.util.concurrent: waiting for one of those allocates.
 */
class Mailbox {
    @Suppress("PLATFORM_CLASS_MAPPED_TO_KOTLIN") // a monitor: only java.lang.Object has wait and notify
    private val lock = java.lang.Object()
    private var frame: Frame? = null
    private var open = true

    /** Frames that were replaced before anybody took them. */
    var overwritten = 0
        private set

    fun put(next: Frame) {
        val old: Frame?
        synchronized(lock) {
            if (open) {
                old = frame
                frame = next
                if (old != null) overwritten++
                lock.notify()
            } else {
                old = next
            }
        }
        old?.close()
    }

    /** The latest frame, waiting for one; null when the mailbox is closed. */
    fun take(): Frame? = synchronized(lock) {
        while (frame == null && open) lock.wait()
        val taken = frame
        frame = null
        taken
    }

    /** A frame that lies in the slot is closed: nobody will want it any more. */
    fun close() {
        val old: Frame?
        synchronized(lock) {
            open = false
            old = frame
            frame = null
            lock.notifyAll()
        }
        old?.close()
    }
}
