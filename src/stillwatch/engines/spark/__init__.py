"""The same definitions on Apache Spark, for logs that outgrow one machine."""
