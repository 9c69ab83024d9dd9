package rdb

// moduleName decodes a module type's ID: nine characters of six bits each and a
// version of ten bits.
func moduleName(id uint64) (name string, version int) {
	const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var b [9]byte
	version = int(id & 1023)
	id >>= 10
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = set[id&63]
		id >>= 6
	}
	return string(b[:]), version
}

// loadModule skips a value of a module type. Since Redis 4.0 every part of it
// says what it is, so that one who lacks the module can.
func (d *Decoder) loadModule() error {
	id, err := d.count()
	if err != nil {
		return err
	}
	if err := d.skipModule(); err != nil {
		return err
	}
	d.stats.Modules++
	name, version := moduleName(id)
	d.m.Key = d.key.b
	return d.sink.Module(&d.m, name, version)
}

func (d *Decoder) moduleAux() error {
	id, err := d.count()
	if err != nil {
		return err
	}
	code, err := d.count()
	if err != nil {
		return err
	}
	if code != moduleUint {
		return corrupt("module aux data begins with op code %d, not the time it was saved", code)
	}
	when, err := d.count()
	if err != nil {
		return err
	}
	if err := d.skipModule(); err != nil {
		return err
	}
	name, version := moduleName(id)
	return d.sink.ModuleAux(name, version, when)
}

func (d *Decoder) skipModule() error {
	for {
		code, err := d.count()
		if err != nil {
			return err
		}
		switch code {
		case moduleEOF:
			return nil
		case moduleSint, moduleUint:
			_, err = d.count()
		case moduleFloat:
			err = d.skip(4)
		case moduleDouble:
			err = d.skip(8)
		case moduleString:
			err = d.skipString()
		default:
			return corrupt("module op code %d", code)
		}
		if err != nil {
			return err
		}
	}
}

// skipString passes over a string without ever holding it whole.
func (d *Decoder) skipString() error {
	n, enc, err := d.length()
	if err != nil {
		return err
	}
	if enc {
		switch n {
		case encInt8:
			n = 1
		case encInt16:
			n = 2
		case encInt32:
			n = 4
		case encLZF:
			if n, err = d.count(); err != nil {
				return err
			}
			if _, err = d.count(); err != nil {
				return err
			}
		default:
			return corrupt("unknown string encoding %d", n)
		}
	}
	return d.skip(n)
}

// skip passes over n bytes.
func (d *Decoder) skip(n uint64) error {
	for n > uint64(d.end-d.pos) {
		n -= uint64(d.end - d.pos)
		d.pos = d.end
		if err := d.need(1); err != nil {
			return err
		}
	}
	d.pos += int(n)
	return nil
}
