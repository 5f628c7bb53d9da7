"""What fidelity.py judges int8 by: real models, seeded drawings with known answers, one file a task.

Pages, card lines, signs, faces' scenes and digit lines are SYNTHETIC: drawn with matplotlib's own fonts and mathtext on
plain or photographed grounds, degraded by perspective, blur, uneven light and sensor noise. Photos come from installed
packages. No image is stored or fetched. Calibration data are never evaluated: other photos, seeds from 1000 on.
"""
