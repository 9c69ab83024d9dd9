// Package geo is the geometry of Redis's GEO commands: places as geohashes of 52
// bits, which are exact as scores of a sorted set, distances on a sphere, and the
// ranges of scores that cover a circle or a box.
//
// # Geohash
//
// Longitude and latitude are each cut into 2^step intervals, and the bits of the
// two interval numbers alternate, longitude in the odd ones. So the places in one
// cell of a coarser grid have hashes with a common beginning: they are one range
// of scores.
//
//	step 1         step 2
//	┌────┬────┐    ┌────┬────┬────┬────┐
//	│ 01 │ 11 │    │0101│0111│1101│1111│
//	├────┼────┤    ├────┼────┼────┼────┤     a search takes the cell of
//	│ 00 │ 10 │    │0100│0110│1100│1110│     its centre and the eight
//	└────┴────┘    ├────┼────┼────┼────┤     around it, on the finest grid
//	               │0001│0011│1001│1011│     on which they cover its circle
//	               ├────┼────┼────┼────┤
//	               │0000│0010│1000│1010│
//	               └────┴────┴────┴────┘
//
// Latitudes end at 85.05112878 degrees, where a Mercator map is a square.
//
// Distances are by the haversine formula on a sphere of 6372797.560856 m. All
// results must be those of Redis to the last bit where they are stored
// (STOREDIST): see trig.go.
//
// Nothing here allocates.
package geo

import "math"

// The limits of coordinates, degrees.
const (
	LonMax = 180.0
	LatMax = 85.05112878
)

// maxStep is the number of bits of either coordinate in a hash.
const maxStep = 26

const (
	earthRadius = 6372797.560856 // metres
	mercatorMax = 20037726.37    // metres
	degree      = 0.017453292519943295
)

// Point is a place, in degrees.
type Point struct{ Lon, Lat float64 }

// Valid tells whether a place is within the limits.
func (p Point) Valid() bool {
	return p.Lon >= -LonMax && p.Lon <= LonMax && p.Lat >= -LatMax && p.Lat <= LatMax
}

// spread puts a zero bit before each of the 32 bits of v.
func spread(v uint64) uint64 {
	v = (v | v<<16) & 0x0000ffff0000ffff
	v = (v | v<<8) & 0x00ff00ff00ff00ff
	v = (v | v<<4) & 0x0f0f0f0f0f0f0f0f
	v = (v | v<<2) & 0x3333333333333333
	return (v | v<<1) & 0x5555555555555555
}

// gather undoes spread, and ignores the odd bits.
func gather(v uint64) uint64 {
	v &= 0x5555555555555555
	v = (v | v>>1) & 0x3333333333333333
	v = (v | v>>2) & 0x0f0f0f0f0f0f0f0f
	v = (v | v>>4) & 0x00ff00ff00ff00ff
	v = (v | v>>8) & 0x0000ffff0000ffff
	return (v | v>>16) & 0x00000000ffffffff
}

// cell is a cell of the grid of a step.
type cell struct {
	lon, lat uint64 // numbers of the intervals
	step     uint
}

// cellOf finds the cell of a place. latMax is the end of the range of latitudes.
func cellOf(p Point, step uint, latMax float64) cell {
	scale := float64(uint64(1) << step)
	lat := (p.Lat + latMax) / (latMax + latMax) * scale
	lon := (p.Lon + LonMax) / (LonMax + LonMax) * scale
	// A place on the upper limit itself belongs to an interval one too far, as in
	// Redis.
	return cell{uint64(uint32(lon)), uint64(uint32(lat)), step}
}

func (c cell) bits() uint64 { return spread(c.lat) | spread(c.lon)<<1 }

// moved is a neighbour; the grid has no edges. An interval number beyond the grid,
// that of a place on the upper limit, is put right only where it is changed.
func (c cell) moved(lon, lat int) cell {
	mask := uint64(1)<<c.step - 1
	if lon != 0 {
		c.lon = (c.lon + uint64(lon)) & mask
	}
	if lat != 0 {
		c.lat = (c.lat + uint64(lat)) & mask
	}
	return c
}

// area is a cell's extent in degrees.
func (c cell) area() (lonMin, lonMax, latMin, latMax float64) {
	scale := float64(uint64(1) << c.step)
	at := func(i uint64, from, size float64) float64 {
		return from + float64(float64(i)/scale*size)
	}
	return at(c.lon, -LonMax, 2*LonMax), at(c.lon+1, -LonMax, 2*LonMax),
		at(c.lat, -LatMax, 2*LatMax), at(c.lat+1, -LatMax, 2*LatMax)
}

// Encode is the hash of a valid place, 52 bits.
func Encode(p Point) uint64 { return cellOf(p, maxStep, LatMax).bits() }

// Decode is the place of a score: the centre of the cell that it is the hash of.
// Any score has one.
func Decode(score float64) Point {
	bits := toBits(score)
	c := cell{gather(bits >> 1), gather(bits), maxStep}
	lonMin, lonMax, latMin, latMax := c.area()
	return Point{
		Lon: min(max((lonMin+lonMax)/2, -LonMax), LonMax),
		Lat: min(max((latMin+latMax)/2, -LatMax), LatMax),
	}
}

// toBits converts a score to an integer as a C compiler for x86-64 does, also
// where it is out of range.
func toBits(f float64) uint64 {
	const top = 1 << 63
	switch {
	case f >= 2*top || f != f:
		return 0
	case f >= top:
		return uint64(int64(f-top)) ^ top
	case f < -top:
		return top
	}
	return uint64(int64(f))
}

// alphabet is that of geohash strings.
const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"

// AppendHash appends the geohash string of a score, 11 characters, in the
// standard's own range of latitudes; the last one is always 0, since there are
// only 52 bits.
func AppendHash(dst []byte, score float64) []byte {
	bits := cellOf(Decode(score), maxStep, 90).bits()
	for i := 1; i <= 10; i++ {
		dst = append(dst, alphabet[bits>>(52-5*i)&0x1f])
	}
	return append(dst, alphabet[0])
}

func radians(deg float64) float64 { return deg * degree }

// latDistance is the distance of two places on one meridian, metres.
func latDistance(lat1, lat2 float64) float64 {
	return earthRadius * math.Abs(float64(radians(lat2))-float64(radians(lat1)))
}

// Distance is the distance of two places, metres, as Redis computes it: to the
// last bit, which takes a microsecond. See also Shape.Contains.
func Distance(a, b Point) float64 { return distance(a, b, sin, cos, asin) }

// quickDistance is Distance with an error in the last bits.
func quickDistance(a, b Point) float64 { return distance(a, b, math.Sin, math.Cos, math.Asin) }

func distance(a, b Point, sin, cos, asin func(float64) float64) float64 {
	lon1, lon2 := radians(a.Lon), radians(b.Lon)
	v := sin((lon2 - lon1) / 2)
	if v == 0 {
		return latDistance(a.Lat, b.Lat)
	}
	lat1, lat2 := radians(a.Lat), radians(b.Lat)
	u := sin((lat2 - lat1) / 2)
	// The conversions forbid the compiler to fuse operations, which would round
	// differently.
	h := float64(u*u) + float64(float64(float64(cos(lat1)*cos(lat2))*v)*v)
	return 2 * earthRadius * asin(math.Sqrt(h))
}

// Shape is a circle or a box around a place. A box is bounded by two parallels,
// and by a distance along the parallel of each place in it.
type Shape struct {
	Center Point
	Box    bool
	// Radius is the circle's; Width and Height are the box's. In units.
	Radius, Width, Height float64
	// Unit is the length of a unit in metres.
	Unit float64
}

// Contains tells whether a place is in the shape, and its distance from the
// centre, metres. The distance is exact to the last bit only if exact is set.
func (s *Shape) Contains(p Point, exact bool) (dist float64, ok bool) {
	if s.Box {
		if latDistance(p.Lat, s.Center.Lat) > s.Height*s.Unit/2 {
			return 0, false
		}
		if quickDistance(p, Point{s.Center.Lon, p.Lat}) > s.Width*s.Unit/2 {
			return 0, false
		}
		dist = quickDistance(s.Center, p)
	} else if dist = quickDistance(s.Center, p); dist > s.Radius*s.Unit {
		return 0, false
	}
	if exact {
		dist = Distance(s.Center, p)
	}
	return dist, true
}

// steps is the step of the grid on which nine cells cover a circle of the radius
// (metres) at a latitude, by estimate.
func steps(radius, lat float64) uint {
	if radius == 0 {
		return maxStep
	}
	n := 1
	for ; radius < mercatorMax; n++ {
		radius *= 2
	}
	n -= 2
	if math.Abs(lat) > 66 {
		n--
		if math.Abs(lat) > 80 {
			n--
		}
	}
	return uint(min(max(n, 1), maxStep))
}

// bounds is the box in degrees around the shape.
func (s *Shape) bounds() (lonMin, lonMax, latMin, latMax float64) {
	w, h := s.Radius, s.Radius
	if s.Box {
		w, h = s.Width/2, s.Height/2
	}
	w, h = s.Unit*w, s.Unit*h
	dLat := h / earthRadius / degree
	top := w / earthRadius / math.Cos(radians(s.Center.Lat+dLat)) / degree
	bottom := w / earthRadius / math.Cos(radians(s.Center.Lat-dLat)) / degree
	dLon := top
	if s.Center.Lat < 0 {
		dLon = bottom
	}
	return s.Center.Lon - dLon, s.Center.Lon + dLon, s.Center.Lat - dLat, s.Center.Lat + dLat
}

// Range is a range of scores, Min included and Max excluded.
type Range struct{ Min, Max float64 }

// Covering appends the ranges of scores in which the places of the shape are:
// at most nine, in the order in which Redis searches them. Two neighbouring
// ranges are never the same, but others may be where the shape goes round the
// Earth, as in Redis.
func (s *Shape) Covering(dst []Range) []Range {
	lonMin, lonMax, latMin, latMax := s.bounds()
	radius := s.Radius
	if s.Box {
		radius = math.Sqrt(float64(s.Width/2*(s.Width/2)) + float64(s.Height/2*(s.Height/2)))
	}
	step := steps(radius*s.Unit, s.Center.Lat)
	c := cellOf(s.Center, step, LatMax)
	if step > 1 && !c.reaches(lonMin, lonMax, latMin, latMax) {
		step--
		c = cellOf(s.Center, step, LatMax)
	}
	// Cells on sides that the shape does not reach are left out.
	w, e, so, n := c.area()
	var skipSouth, skipNorth, skipWest, skipEast bool
	if step >= 2 {
		skipSouth, skipNorth, skipWest, skipEast = so < latMin, n > latMax, w < lonMin, e > lonMax
	}
	var last cell
	for i, d := range [9][2]int{{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}} {
		lon, lat := d[0], d[1]
		if lat < 0 && skipSouth || lat > 0 && skipNorth || lon < 0 && skipWest || lon > 0 && skipEast {
			continue
		}
		x := c.moved(lon, lat)
		if i > 0 && last.step != 0 && x == last {
			continue
		}
		if i > 0 {
			last = x
		}
		shift := 52 - 2*step
		dst = append(dst, Range{float64(x.bits() << shift), float64((x.bits() + 1) << shift)})
	}
	return dst
}

// reaches tells whether the cells around c extend as far as a box in degrees.
func (c cell) reaches(lonMin, lonMax, latMin, latMax float64) bool {
	_, _, _, north := c.moved(0, 1).area()
	_, _, south, _ := c.moved(0, -1).area()
	_, east, _, _ := c.moved(1, 0).area()
	west, _, _, _ := c.moved(-1, 0).area()
	return !(north < latMax || south > latMin || east < lonMax || west > lonMin)
}
