package main

import (
	"fmt"
	"io"
	"strings"

	"loa/gateway/web/api"
)

// showNotices says loudly what of an alert is not sent, and the engineers'
// reason below.
func showNotices(out io.Writer, c *api.Coverage) {
	if c == nil {
		return
	}
	for _, n := range c.Notices {
		en, vi := noticeWords(n)
		_, _ = fmt.Fprintf(out, "\nNOT SENT: %s\nKHÔNG GỬI: %s\n", en, vi)
		if n.Text != "" {
			_, _ = fmt.Fprintf(out, "  %s\n", n.Text)
		}
	}
}

// noticeWords words a notice in English and in Vietnamese.
func noticeWords(n api.Notice) (en, vi string) {
	on, kind := "every channel", "mọi kênh"
	if n.Kind != "" {
		on, kind = string(n.Kind), "kênh "+channelNames[n.Kind]
	}
	code, fault, _ := strings.Cut(n.Code, "/")
	switch code {
	case "render":
		return fmt.Sprintf("no text could be made for %s in %s", on, placeNames(n, "every commune", "and %d others")),
			fmt.Sprintf("không soạn được tin cho %s ở %s", kind, placeNames(n, "tất cả nơi nhận", "và %d nơi khác"))
	case "request":
		return "a request to send it was refused because it breaks a rule; that part goes to nobody",
			"một yêu cầu gửi bị từ chối vì không hợp lệ; phần tin đó không gửi cho ai"
	case "unreadable":
		return "a stored request to send it cannot be read; that part goes to nobody",
			"không đọc được một yêu cầu gửi trong cơ sở dữ liệu; phần tin đó không gửi cho ai"
	case "status":
		return "an exercise or test message was kept from the public on " + on,
			"đã chặn tin diễn tập hoặc thử nghiệm, không cho gửi tới người dân qua " + kind
	case "content":
		return fmt.Sprintf("the provider of %s refuses the text, code %s; check the texts registered with the carrier", on, fault),
			fmt.Sprintf("nhà cung cấp %s từ chối nội dung tin, mã %s; kiểm tra mẫu tin đã đăng ký với nhà mạng", kind, fault)
	default:
		return fmt.Sprintf("a part of it cannot be sent on %s, code %s", on, n.Code),
			fmt.Sprintf("%s: có phần tin không gửi được, mã %s", kind, n.Code)
	}
}

// placeNames names the first communes of a notice and counts the others.
func placeNames(n api.Notice, everywhere, others string) string {
	const few = 5
	if len(n.Communes) == 0 {
		return everywhere
	}
	var names []string
	for _, c := range n.Communes[:min(few, len(n.Communes))] {
		names = append(names, c.Name)
	}
	list := strings.Join(names, ", ")
	if more := len(n.Communes) - len(names); more > 0 {
		list += " " + fmt.Sprintf(others, more)
	}
	return list
}
