package sms

import "unicode/utf8"

// The encodings of a short message (3GPP TS 23.038).
const (
	GSM7 = "GSM-7"
	UCS2 = "UCS-2"
)

// Units one message holds alone, and each part of a longer one, which spends
// six octets on its header (3GPP TS 23.040, 9.2.3.24).
const (
	gsmAlone, gsmPart = 160, 153
	ucsAlone, ucsPart = 70, 67
)

// The default alphabet without its escape, and the extension table whose
// characters cost an escape more (3GPP TS 23.038, 6.2.1 and 6.2.1.1).
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€"
)

var gsmUnits = func() map[rune]int {
	units := make(map[rune]int, 137)
	for _, r := range gsmBasic {
		units[r] = 1
	}
	for _, r := range gsmExtension {
		units[r] = 2
	}
	return units
}()

// Parts returns how many short messages a text is sent and paid as, and the
// encoding it needs: GSM7 when every character has a place there, else UCS2.
// It counts the text as it stands: a decomposed accent is a character of its
// own, so bring Vietnamese to NFC first. An empty text is one message. No part
// ends inside an escaped character or a surrogate pair.
func Parts(text string) (parts int, encoding string) {
	for _, r := range text {
		if gsmUnits[r] == 0 {
			return count(text, ucsAlone, ucsPart, ucsLength), UCS2
		}
	}
	return count(text, gsmAlone, gsmPart, func(r rune) int { return gsmUnits[r] }), GSM7
}

func ucsLength(r rune) int {
	if r > 0xffff && r <= utf8.MaxRune {
		return 2
	}
	return 1
}

func count(text string, alone, part int, units func(rune) int) int {
	parts, total, used := 1, 0, 0
	for _, r := range text {
		n := units(r)
		total += n
		if used+n > part {
			parts++
			used = 0
		}
		used += n
	}
	if total <= alone {
		return 1
	}
	return parts
}
