//go:build !plainevio

package eventloop

import (
	"fmt"
	"reflect"
	"syscall"
	"unsafe"

	"github.com/tidwall/evio"
)

// guts gives access to the few parts of evio's loop that its interface
// hides: the epoll descriptor and the table of connections. All is
// found by field name and type in a live connection, so another evio is refused
// when the loop is made, never misread. Used once per connection, not per request.
type guts struct {
	epfd     int
	table    reflect.Value // map[int]*evio.conn of the running loop
	connType reflect.Type  // evio.conn
	offFD    uintptr
	offOpen  uintptr
	offReuse uintptr
}

// openGuts takes the connection that evio made for the bootstrap socket.
func openGuts(ec evio.Conn) (g guts, err error) {
	fail := func(what string) (guts, error) {
		return guts{}, fmt.Errorf("eventloop: this evio is not the v1.0.8 that it was made for: %s", what)
	}
	v := reflect.ValueOf(ec)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return fail("a connection is not a pointer to a struct")
	}
	g.connType = v.Type().Elem()
	for _, f := range []struct {
		name string
		kind reflect.Kind
		off  *uintptr
	}{{"fd", reflect.Int, &g.offFD}, {"opened", reflect.Bool, &g.offOpen}, {"reuse", reflect.Bool, &g.offReuse}} {
		sf, ok := g.connType.FieldByName(f.name)
		if !ok || sf.Type.Kind() != f.kind || len(sf.Index) != 1 {
			return fail("conn." + f.name)
		}
		*f.off = sf.Offset
	}
	loop := v.Elem().FieldByName("loop")
	if !loop.IsValid() || loop.Kind() != reflect.Pointer || loop.IsNil() || loop.Elem().Kind() != reflect.Struct {
		return fail("conn.loop")
	}
	table := loop.Elem().FieldByName("fdconns")
	if !table.IsValid() || table.Type() != reflect.MapOf(reflect.TypeFor[int](), v.Type()) {
		return fail("loop.fdconns")
	}
	// The same map, without the mark that forbids changes through unexported fields.
	g.table = reflect.NewAt(table.Type(), unsafe.Pointer(table.UnsafeAddr())).Elem()
	poll := loop.Elem().FieldByName("poll")
	if !poll.IsValid() || poll.Kind() != reflect.Pointer || poll.IsNil() || poll.Elem().Kind() != reflect.Struct {
		return fail("loop.poll")
	}
	pfd := poll.Elem().FieldByName("fd")
	if !pfd.IsValid() || pfd.Kind() != reflect.Int {
		return fail("poll.fd")
	}
	g.epfd = int(pfd.Int())
	// The table must hold this connection under its descriptor, which must be polled.
	fd := *(*int)(unsafe.Add(v.UnsafePointer(), g.offFD))
	if e := g.table.MapIndex(reflect.ValueOf(fd)); !e.IsValid() || e.UnsafePointer() != v.UnsafePointer() {
		return fail("a connection is not in loop.fdconns")
	}
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT, Fd: int32(fd)}
	if err := syscall.EpollCtl(g.epfd, syscall.EPOLL_CTL_MOD, fd, &ev); err != nil {
		return fail("poll.fd is not its epoll descriptor: " + err.Error())
	}
	return g, nil
}

// enter makes fd a connection of evio's with context ctx. Readable input is read and
// given to Events.Data when opened is true, else its readiness is announced by
// Events.Opened each time, provided that the callee calls rearm. It is not polled yet.
func (g *guts) enter(fd int, ctx any, opened bool) unsafe.Pointer {
	v := reflect.New(g.connType)
	p := v.UnsafePointer()
	*(*int)(unsafe.Add(p, g.offFD)) = fd
	*(*bool)(unsafe.Add(p, g.offOpen)) = opened
	*(*bool)(unsafe.Add(p, g.offReuse)) = true
	v.Interface().(evio.Conn).SetContext(ctx)
	g.table.SetMapIndex(reflect.ValueOf(fd), v)
	return p
}

// rearm has evio announce the next readiness of a connection by Events.Opened again.
func (g *guts) rearm(p unsafe.Pointer) { *(*bool)(unsafe.Add(p, g.offOpen)) = false }

// remove takes fd out of evio's table; evio ignores events that it may hold for it still.
func (g *guts) remove(fd int) { g.table.SetMapIndex(reflect.ValueOf(fd), reflect.Value{}) }

// poll has evio watch fd for input.
func (g *guts) poll(fd int) error {
	return syscall.EpollCtl(g.epfd, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

// unpoll ends that.
func (g *guts) unpoll(fd int) error {
	return syscall.EpollCtl(g.epfd, syscall.EPOLL_CTL_DEL, fd, &syscall.EpollEvent{})
}
