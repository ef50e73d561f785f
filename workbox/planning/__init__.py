"""Planning as long work: the jobs that fit forecasts, and the route that asks for a training.

They stand at the front door because jobs do; what they do is `insights`' own.
"""
