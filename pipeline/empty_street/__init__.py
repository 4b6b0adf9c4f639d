"""The empty street of every time bucket, once it is known where somebody was: the second pass over the frames.

A median holds whatever stands at a place for half of a bucket's frames: queueing cars leave a wheel, a shadow, a smear.
Here each pixel's median is taken over those frames alone in which no detection, nor what it may cast a shadow on,
covers it; what no frame of the bucket shows is taken from another bucket, under this one's illumination; and what
stands there all day stays, and is written down as a region to ignore.
"""
