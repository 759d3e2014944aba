"""What `doctor` asks of a cluster: can an experiment work there?"""
