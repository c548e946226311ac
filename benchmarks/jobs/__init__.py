"""The job system beside the job libraries and servers that people use today."""
