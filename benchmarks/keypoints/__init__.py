"""What is claimed of networks that find keypoints of objects of many classes."""
