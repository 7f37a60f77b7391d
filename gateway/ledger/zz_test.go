package ledger
import ("testing";"fmt";"context";"encoding/binary";"time";"loa/gateway/audience";"loa/channels")
func TestZZ(t *testing.T){ l:=openTestSQLite(t,Options{}); 
 for b:=range 8 { es:=make([]audience.Sealed,1000); for i:=range es { k:=channels.SMS; if i%5==2 {k=channels.WebPush}; es[i]=audience.Sealed{Endpoint:audience.Endpoint{Kind:k,Commune:"00001",Language:"vi",Basis:audience.Duty},Cipher:[]byte{1}}; binary.BigEndian.PutUint64(es[i].Lookup[:],uint64(b*1000+i+1)) }; s:=time.Now(); if _,err:=l.Audience().Add(t.Context(),time.Now(),es);err!=nil{t.Fatal(err)}; fmt.Println(b,time.Since(s)) }
 _ = l.db.read(context.Background(), func(x tx) error { d:=x.dialect(); return x.each("EXPLAIN QUERY PLAN SELECT "+endpointColumns+" FROM endpoint WHERE kind = ? AND retired = 0 AND lookup"+d.inBlobs, []any{int64(1), d.blobs([][]byte{make([]byte,16)})}, func(scan func(...any) error) error { var a,b,c int; var s string; if err:=scan(&a,&b,&c,&s);err!=nil{return err}; fmt.Println(s); return nil}) })
}
