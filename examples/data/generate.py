"""Writes stations.csv and trips.csv: invented bicycle trips of one week in May.

The same files come out each time. Run it in this directory.
"""

import csv
import datetime
import random

STATIONS = [
    # id, name, district, docks, km from the centre
    ("S01", "Central Station", "Centre", 48, 0.0),
    ("S02", "Market Square", "Centre", 36, 0.6),
    ("S03", "Old Harbour", "Harbour", 30, 1.9),
    ("S04", "Fish Pier", "Harbour", 18, 2.6),
    ("S05", "University", "North", 44, 2.1),
    ("S06", "Botanical Garden", "North", 24, 3.0),
    ("S07", "Mill Street", "East", 20, 1.7),
    ("S08", "Gasworks", "East", 26, 2.8),
    ("S09", "Stadium", "South", 40, 3.4),
    ("S10", "Riverside Park", "South", 22, 2.2),
]
MONDAY = datetime.date(2026, 5, 11)
TRIPS = 720
# How likely a trip is to begin in each hour of a day at work and of a weekend.
WORKDAY = [1, 1, 0, 0, 0, 2, 8, 22, 26, 12, 8, 9, 12, 10, 9, 12, 20, 28, 22, 14, 9, 6, 4, 2]
WEEKEND = [3, 2, 1, 0, 0, 0, 1, 2, 5, 10, 15, 18, 20, 21, 22, 21, 19, 16, 13, 10, 8, 6, 5, 4]


def main() -> None:
    random.seed(20260511)
    with open("stations.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["station_id", "name", "district", "docks"])
        rows.writerows(station[:4] for station in STATIONS)

    trips = []
    for _ in range(TRIPS):
        day = MONDAY + datetime.timedelta(days=random.choices(range(7), [15, 16, 16, 15, 17, 12, 9])[0])
        hour = random.choices(range(24), WORKDAY if day.weekday() < 5 else WEEKEND)[0]
        started = datetime.datetime.combine(
            day, datetime.time(hour, random.randrange(60), random.randrange(60))
        )
        start = random.choices(STATIONS, [station[3] for station in STATIONS])[0]
        end = random.choices(STATIONS, [station[3] for station in STATIONS])[0]
        km = round(abs(start[4] - end[4]) + random.uniform(0.7, 2.4), 2)
        rider = random.choices(["member", "casual"], [7, 3] if day.weekday() < 5 else [4, 6])[0]
        bike = random.choice(["classic"] * 4 + ["electric"])
        kmh = random.gauss(15.5 if rider == "member" else 11.5, 2.0) + (4.5 if bike == "electric" else 0)
        seconds = max(120, round(km / max(kmh, 6) * 3600))
        trips.append((started, start[0], end[0], seconds, km, rider, bike))
    trips.sort()

    with open("trips.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(
            ["trip_id", "started_at", "start_station", "end_station", "seconds", "km", "rider", "bike"]
        )
        for number, (started, start, end, seconds, km, rider, bike) in enumerate(trips, 1):
            rows.writerow([number, started.isoformat(sep=" "), start, end, seconds, km, rider, bike])


main()
