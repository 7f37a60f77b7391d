package area

import "time"

// UnitAt is the unit that bore the code at t: many codes were handed on, so
// 00004 was Phường Trúc Bạch until 1 July 2025 and is Phường Ba Đình since.
func (d *Directory) UnitAt(code Code, t time.Time) (Unit, bool) {
	e, ok := d.at(code, t)
	if !ok {
		return Unit{}, false
	}
	return e.Unit, true
}
