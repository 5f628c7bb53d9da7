package dev.mobilekit.demo

import android.os.Bundle
import org.json.JSONObject

/** What `python -m mobilekit.bench` asks for, as extras of the intent (docs/bench.md); the names are those of the report. */
class BenchSettings(extras: Bundle?) {
    private val extras = extras ?: Bundle.EMPTY
    val fps = number("fps", 29.97f, 1f, 1000f)
    val refreshHz = number("refresh_hz", 60f, 1f, 1000f)
    val seconds = number("seconds", 17f, 0.5f, 3600f)
    val warmUp = number("warm_up", 0.5f, 0f, 600f)
    val threads = whole("threads", 1, 1, 256)
    val frameWidth = whole("frame_width", 1920, 1, 1 shl 14)
    val frameHeight = whole("frame_height", 1080, 1, 1 shl 14)
    val rotation = whole("rotation", 90, 0, 270)
    val seed = whole("seed", 0, 0, Int.MAX_VALUE)
    val device: String = word("device", "android")
    val delegate: String = word("delegate", "xnnpack")
    val camera: String = word("camera", "phone")

    /** Absolute path of a pushed model; null runs the app's own. */
    val model: String? = extras?.getString("model")

    /** Names the report. From the outside: only characters that lead nowhere else. */
    val runId: String = word("run_id", "mobilekit-manual").also {
        if (!Regex("[A-Za-z0-9_-]{1,64}").matches(it)) throw BenchException("run_id is '$it', expected letters, digits, - and _")
    }

    init {
        if (delegate != "xnnpack" && delegate != "reference") throw BenchException("--delegate is '$delegate', known are xnnpack and reference")
    }

    /** The settings of the report, as they were asked for. */
    fun toJson(): JSONObject = JSONObject()
        .put("device", device).put("fps", fps).put("refresh_hz", refreshHz).put("seconds", seconds).put("warm_up", warmUp)
        .put("threads", threads).put("frame_width", frameWidth).put("frame_height", frameHeight).put("rotation", rotation)
        .put("delegate", delegate).put("seed", seed).put("camera", camera)

    private fun number(name: String, default: Float, low: Float, high: Float): Double {
        val value = extras.getFloat(name, default)
        if (!(value in low..high)) throw BenchException("$name is $value, it must be $low to $high")
        return value.toString().toDouble() // 29.97f as 29.97, not as the float's neighbour in double
    }

    private fun whole(name: String, default: Int, low: Int, high: Int): Int {
        val value = extras.getInt(name, default)
        if (value !in low..high) throw BenchException("$name is $value, it must be $low to $high")
        return value
    }

    private fun word(name: String, default: String): String = extras.getString(name) ?: default
}

/** The bench cannot run; the message becomes {"error": ...} and is what the person at the other end of the cable reads. */
class BenchException(message: String) : Exception(message)
