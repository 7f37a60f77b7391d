package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"loa/channels"
	"loa/gateway/area"
	"loa/gateway/web/api"
)

func TestShowNotices(t *testing.T) {
	t.Parallel()
	var places []api.Target
	for _, name := range []string{"Phường Hồng Gai", "Đặc khu Cô Tô", "C", "D", "E", "F", "G"} {
		places = append(places, api.Target{Code: area.Code("06652"), Name: name})
	}
	var out bytes.Buffer
	showNotices(&out, nil)
	showNotices(&out, &api.Coverage{Notices: []api.Notice{
		{Code: "render", Kind: channels.SMS, Communes: places, Text: "infos[0]: no slot wind"},
		{Code: "render", Kind: channels.WebPush, Communes: places[:1]},
		{Code: "content/30007", Kind: channels.SMS},
		{Code: "request"}, {Code: "unreadable"}, {Code: "status", Kind: channels.App}, {Code: "moon"},
	}})
	const want = `
NOT SENT: no text could be made for sms in Phường Hồng Gai, Đặc khu Cô Tô, C, D, E and 2 others
KHÔNG GỬI: không soạn được tin cho kênh SMS ở Phường Hồng Gai, Đặc khu Cô Tô, C, D, E và 2 nơi khác
  infos[0]: no slot wind

NOT SENT: no text could be made for webpush in Phường Hồng Gai
KHÔNG GỬI: không soạn được tin cho kênh thông báo trên trình duyệt ở Phường Hồng Gai

NOT SENT: the provider of sms refuses the text, code 30007; check the texts registered with the carrier
KHÔNG GỬI: nhà cung cấp kênh SMS từ chối nội dung tin, mã 30007; kiểm tra mẫu tin đã đăng ký với nhà mạng

NOT SENT: a request to send it was refused because it breaks a rule; that part goes to nobody
KHÔNG GỬI: một yêu cầu gửi bị từ chối vì không hợp lệ; phần tin đó không gửi cho ai

NOT SENT: a stored request to send it cannot be read; that part goes to nobody
KHÔNG GỬI: không đọc được một yêu cầu gửi trong cơ sở dữ liệu; phần tin đó không gửi cho ai

NOT SENT: an exercise or test message was kept from the public on app
KHÔNG GỬI: đã chặn tin diễn tập hoặc thử nghiệm, không cho gửi tới người dân qua kênh ứng dụng

NOT SENT: a part of it cannot be sent on every channel, code moon
KHÔNG GỬI: mọi kênh: có phần tin không gửi được, mã moon
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}
