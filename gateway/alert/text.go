package alert

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	htmlTag    = regexp.MustCompile(`<(?:[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?|/[A-Za-z][A-Za-z0-9-]*\s*|!--)>?`)
	htmlEntity = regexp.MustCompile(`&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});`)
	linkScheme = regexp.MustCompile(`(?i)(?:[a-z][a-z0-9+.-]{1,15}://|\bwww\.|\bmailto:|\bjavascript:)`)
	linkDomain = regexp.MustCompile(`(?i)(?:^|[^\pL\pN@.-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|net|org|vn|info|biz|io|cc|gg|app|link|page|site|xyz|shop|online|club|asia|click|live|icu|vip|pro|ai|tv|ws)(?:[^\pL\pN-]|$)`)
	shortener  = regexp.MustCompile(`(?i)(?:^|[^\pL\pN.-])(?:bit\.ly|t\.co|goo\.gl|tinyurl\.com|is\.gd|v\.gd|cutt\.ly|ow\.ly|s\.id|rb\.gy|t\.ly|shorturl\.at|rebrand\.ly|buff\.ly|tiny\.cc|bom\.so|by\.com\.vn|zalo\.me|m\.me|t\.me|wa\.me|fb\.me|youtu\.be|lnkd\.in|qr\.ae|qrco\.de)(?:[^\pL\pN.-]|$)`)
)

// HasMarkup reports HTML tags or entities, which CAP forbids in its texts.
// A bare less-than sign, as in "<75 km/h", is none.
func HasMarkup(s string) bool { return htmlTag.MatchString(s) || htmlEntity.MatchString(s) }

// HasLink reports an address to follow: a URL, a host name or a shortener. A
// public warning has none, so that none can be forged.
func HasLink(s string) bool {
	return linkScheme.MatchString(s) || linkDomain.MatchString(s) || shortener.MatchString(s)
}

// Unseen reports characters that change or hide how a text reads: controls but
// line ends and the tab, direction marks, zero-width characters, and bytes
// that are not UTF-8.
func Unseen(s string) bool {
	if !utf8.ValidString(s) {
		return true
	}
	return strings.ContainsFunc(strings.ReplaceAll(s, "\r\n", "\n"), func(r rune) bool {
		if r == '\n' || r == '\t' {
			return false
		}
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == utf8.RuneError ||
			r == 0x034f || r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 // drawn as nothing
	})
}

// lawfulXML reports whether XML 1.0 can carry the text.
func lawfulXML(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

// Name reports whether s can be a CAP identifier or sender: something, and no
// white space, comma, '<' or '&'.
func Name(s string) bool {
	return s != "" && lawfulXML(s) && !strings.ContainsAny(s, ",<&") && !strings.ContainsFunc(s, unicode.IsSpace)
}

// AbsoluteURL reports whether s is a whole web address (CAP 1.2, web).
func AbsoluteURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// IsLanguage reports whether s has the form of a language tag (RFC 3066).
func IsLanguage(s string) bool { return languageTag.MatchString(s) }

var languageTag = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`)
