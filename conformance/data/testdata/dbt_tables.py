"""What dbt's models wrote to s3://, by environment variables alone."""

import awswrangler as wr

trips = wr.s3.read_parquet("s3://rides/tables/rides/trips/", dataset=True)
days = wr.s3.read_parquet("s3://rides/tables/rides/days/")
print(len(trips), trips["day"].nunique(), len(days))
