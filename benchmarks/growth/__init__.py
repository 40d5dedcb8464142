"""What it takes past one machine: a simulator fed with measured service times, a planner on top of it, and what breaks first."""
