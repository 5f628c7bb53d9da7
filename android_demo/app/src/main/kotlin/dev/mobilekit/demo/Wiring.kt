package dev.mobilekit.demo

import android.content.Context
import android.content.res.AssetManager
import android.util.Size
import java.nio.ByteBuffer

/** What the activities are made of; tests put fakes here. */
object Wiring {
    /** [CameraException] where there is no such camera. */
    var frameSource: (Context, Facing, Size, Int?, Int) -> FrameSource =
        { context, facing, size, fps, display -> Camera2Source(context, facing, size, fps, display) }

    var model: (AssetManager) -> Model = Model::ofAssets

    var runner: (ByteBuffer, Backend, Int, Boolean) -> ModelRunner = { model, wish, threads, xnnpack ->
        TfliteRunner.open(model, wish, threads, xnnpack)
    }
}
