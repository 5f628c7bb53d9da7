package dev.mobilekit.demo

/** Versions that the report names; android_demo/build.py checks them against the sources that they come from. */
object BuildFacts {
    const val VERSION = "0.1.0"
    const val RUNTIME = "TensorFlow Lite 2.16.1"
}
