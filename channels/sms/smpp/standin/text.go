package standin

import (
	"encoding/binary"
	"errors"
	"slices"
	"unicode/utf16"
)

// The GSM 7-bit default alphabet by its codes, and what follows its escape
// (3GPP TS 23.038, 6.2.1 and 6.2.1.1).
var (
	gsmAlphabet = []rune("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
	gsmEscaped = map[byte]rune{
		0x0a: '\f', 0x14: '^', 0x28: '{', 0x29: '}', 0x2f: '\\', 0x3c: '[', 0x3d: '~', 0x3e: ']', 0x40: '|', 0x65: '€',
	}
)

var errText = errors.New("text is not in its coding")

// decode reads the text of one part.
func decode(coding byte, raw []byte) (string, error) {
	switch coding {
	case 0:
		return decodeGSM(raw)
	case 8:
		return decodeUCS2(raw)
	default:
		return "", errText
	}
}

func decodeGSM(raw []byte) (string, error) {
	var text []rune
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c > 0x7f:
			return "", errText
		case c == 0x1b:
			if i++; i == len(raw) {
				return "", errText
			}
			r, ok := gsmEscaped[raw[i]]
			if !ok {
				return "", errText
			}
			text = append(text, r)
		default:
			text = append(text, gsmAlphabet[c])
		}
	}
	return string(text), nil
}

func decodeUCS2(raw []byte) (string, error) {
	if len(raw)%2 != 0 {
		return "", errText
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(raw[2*i:])
	}
	text := utf16.Decode(units)
	if slices.Contains(text, 0xfffd) {
		return "", errText // half a pair: the text was cut inside a character
	}
	return string(text), nil
}

// concat is the header of a part (3GPP TS 23.040, 9.2.3.24.1).
type concat struct{ reference, parts, part byte }

// headed takes the header off a text that says it has one.
func headed(class byte, raw []byte) (concat, []byte, error) {
	if class&0x40 == 0 {
		return concat{parts: 1, part: 1}, raw, nil
	}
	if len(raw) < 6 || raw[0] != 5 || raw[1] != 0 || raw[2] != 3 || raw[4] < 2 || raw[5] < 1 || raw[5] > raw[4] {
		return concat{}, nil, errText
	}
	return concat{raw[3], raw[4], raw[5]}, raw[6:], nil
}

// fits reports whether a part is no longer than a phone can be sent.
func fits(coding byte, h concat, text []byte) bool {
	limit := map[bool]int{true: 160, false: 140}[coding == 0]
	if h.parts > 1 {
		limit = map[bool]int{true: 153, false: 134}[coding == 0]
	}
	return len(text) > 0 && len(text) <= limit
}
