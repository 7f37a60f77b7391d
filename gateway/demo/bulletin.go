package demo

import (
	"math"
	"strconv"
	"time"

	"loa/gateway/alert"
	"loa/gateway/area"
)

// The storm of the demo: Yagi over the Gulf of Tonkin on 7 September 2024, on
// today's administrative units. Facts as the press reported the bulletins of
// that day: centre 20.9° N 106.9° E at 14:15, wind force 12–13, gusts 16,
// moving west-north-west at 15–20 km/h.
const (
	title   = "Bão số 3 (Yagi) ngày 7/9/2024, diễn lại trên địa giới hiện nay"
	titleEN = "Storm no. 3 (Yagi), 7 September 2024, replayed on today's communes"

	centreLat, centreLon = 20.9, 106.9
	place                = "Bãi Cháy"
)

// kilometres is the great-circle distance of two positions in degrees.
func kilometres(lat1, lon1, lat2, lon2 float64) float64 {
	const radius, degree = 6371, math.Pi / 180
	dLat, dLon := (lat2-lat1)*degree, (lon2-lon1)*degree
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(lat1*degree)*math.Cos(lat2*degree)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * radius * math.Asin(math.Sqrt(h))
}

// Bulletin is the text the demo's author drafts. Times are moved so that the
// warning is in force now: what was 7 September 2024 14:15 is issued at now.
func Bulletin(now time.Time, communes []area.Unit) []alert.Info {
	geocodes := make([]alert.NamedValue, len(communes))
	distance := 0
	for i, u := range communes {
		geocodes[i] = alert.NamedValue{Name: area.ValueName, Value: string(u.Code)}
		if u.Name == place {
			distance = int(math.Round(kilometres(u.Lat, u.Lon, centreLat, centreLon)))
		}
	}
	until := now.Add(6 * time.Hour).Truncate(time.Hour)
	stamp := func(t time.Time) string { return t.Format(time.RFC3339) }
	info := func(language, event, desc string) alert.Info {
		return alert.Info{
			Language:      language,
			Categories:    []alert.Category{"Met"},
			Event:         event,
			ResponseTypes: []alert.ResponseType{"Shelter"},
			Urgency:       "Immediate",
			Severity:      alert.Extreme,
			Certainty:     "Observed",
			Onset:         now,
			Expires:       until,
			Parameters:    []alert.NamedValue{{Name: "VN-risk-level", Value: "4"}},
			Areas:         []alert.Area{{Desc: desc, Geocodes: geocodes}},
			Template:      "storm.on_land",
			Slots: map[string]string{
				"until":    stamp(until),
				"storm_no": "3", "storm_name": "Yagi", "level": strconv.Itoa(4),
				"wind": "12-13", "wind_kmh": "118-149", "gust": "16",
				"direction": "WNW", "speed": "15-20",
				"place": place, "distance": strconv.Itoa(distance),
			},
		}
	}
	return []alert.Info{
		info("vi-VN", title, "tỉnh Quảng Ninh, thành phố Hải Phòng"),
		info("en-US", titleEN, "Quang Ninh, Hai Phong"),
	}
}
