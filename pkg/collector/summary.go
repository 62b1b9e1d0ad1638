package collector

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// scalar is one point of one tag in an event file.
type scalar struct {
	tag  string
	text string
	time time.Time
	step int64
}

// Field numbers of tensorflow.Event, Summary, Summary.Value, SummaryMetadata and its PluginData,
// and TensorProto (tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto).
const (
	eventWallTime, eventStep, eventSummary = 1, 2, 5
	summaryValue                           = 1
	valueTag, valueSimple                  = 1, 2
	valueTensor, valueMetadata             = 8, 9
	metadataPlugin, pluginName             = 1, 1
	tensorType, tensorContent              = 1, 4
	tensorHalf, tensorFloat, tensorDouble  = 13, 5, 6
	tensorInt, tensorInt64, tensorBool     = 7, 10, 11
	tensorUint32, tensorUint64             = 16, 17
)

// Values of tensorflow.DataType (framework/types.proto).
const (
	typeFloat, typeDouble, typeInt32, typeUint8, typeInt16, typeInt8 = 1, 2, 3, 4, 5, 6
	typeInt64, typeBool, typeBfloat16, typeUint16, typeHalf          = 9, 10, 14, 17, 19
	typeUint32, typeUint64                                           = 22, 23
)

// scalars returns the scalars of an Event message. The rest of a malformed message is left out.
func scalars(event []byte) []scalar {
	var at time.Time
	var step int64
	var out []scalar
	fields(event, func(number protowire.Number, v uint64, b []byte) {
		switch number {
		case eventWallTime:
			at = unixTime(math.Float64frombits(v))
		case eventStep:
			step = max(0, int64(v))
		case eventSummary:
			fields(b, func(number protowire.Number, _ uint64, b []byte) {
				if number != summaryValue {
					return
				}
				if s, ok := summaryScalar(b); ok {
					out = append(out, s)
				}
			})
		}
	})
	for i := range out {
		out[i].time, out[i].step = at, step
	}
	return out
}

// summaryScalar reads one Summary.Value: TensorFlow 1 (and PyTorch) write simple_value, TensorFlow 2
// a tensor with one element of the plugin "scalars".
func summaryScalar(value []byte) (s scalar, ok bool) {
	plugin := ""
	var tensor []byte
	fields(value, func(number protowire.Number, v uint64, b []byte) {
		switch number {
		case valueTag:
			s.tag = string(b)
		case valueSimple:
			s.text = formatFloat(float64(math.Float32frombits(uint32(v))), 32)
		case valueTensor:
			tensor = b
		case valueMetadata:
			fields(b, func(number protowire.Number, _ uint64, b []byte) {
				if number == metadataPlugin {
					plugin = bytesField(b, pluginName)
				}
			})
		}
	})
	if plugin != "" && plugin != "scalars" {
		return scalar{}, false
	}
	if s.text == "" {
		s.text = tensorText(tensor)
	}
	return s, s.text != "" && s.tag != ""
}

// tensorText returns the only element of a numeric tensor as text, "" if it is not such a tensor.
func tensorText(tensor []byte) string {
	var dtype uint64
	var content []byte
	var elements []uint64 // as bits on the wire
	fields(tensor, func(number protowire.Number, v uint64, b []byte) {
		switch number {
		case tensorType:
			dtype = v
		case tensorContent:
			content = b
		case tensorFloat:
			elements = append(elements, packed(v, b, 4)...)
		case tensorDouble:
			elements = append(elements, packed(v, b, 8)...)
		case tensorHalf, tensorInt, tensorInt64, tensorBool, tensorUint32, tensorUint64:
			elements = append(elements, packed(v, b, 0)...)
		}
	})
	if len(content) > 0 {
		if len(content) != typeSize(dtype) {
			return ""
		}
		var padded [8]byte
		copy(padded[:], content)
		elements = []uint64{binary.LittleEndian.Uint64(padded[:])}
	}
	if len(elements) != 1 {
		return ""
	}
	return elementText(dtype, elements[0])
}

// typeSize is how many bytes an element takes in tensor_content; -1 for a type that is no number.
func typeSize(dtype uint64) int {
	switch dtype {
	case typeUint8, typeInt8, typeBool:
		return 1
	case typeInt16, typeUint16, typeHalf, typeBfloat16:
		return 2
	case typeFloat, typeInt32, typeUint32:
		return 4
	case typeDouble, typeInt64, typeUint64:
		return 8
	}
	return -1
}

func elementText(dtype, bits uint64) string {
	switch dtype {
	case typeFloat:
		return formatFloat(float64(math.Float32frombits(uint32(bits))), 32)
	case typeDouble:
		return formatFloat(math.Float64frombits(bits), 64)
	case typeBfloat16:
		return formatFloat(float64(math.Float32frombits(uint32(bits)<<16)), 32)
	case typeHalf:
		return formatFloat(halfFloat(uint16(bits)), 32)
	case typeInt8:
		return strconv.FormatInt(int64(int8(bits)), 10)
	case typeInt16:
		return strconv.FormatInt(int64(int16(bits)), 10)
	case typeInt32:
		return strconv.FormatInt(int64(int32(bits)), 10)
	case typeInt64:
		return strconv.FormatInt(int64(bits), 10)
	case typeUint8, typeUint16, typeUint32, typeUint64, typeBool:
		return strconv.FormatUint(bits, 10)
	}
	return ""
}

// halfFloat converts IEEE 754 binary16.
func halfFloat(bits uint16) float64 {
	sign := 1 - 2*float64(bits>>15)
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

func formatFloat(f float64, bits int) string {
	return strconv.FormatFloat(f, 'g', -1, bits)
}

// fields calls use for each field of a message, in order, with its number and either its value or
// its bytes, until the message ends or is malformed.
func fields(message []byte, use func(number protowire.Number, v uint64, b []byte)) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		var v uint64
		var b []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type:
			var v32 uint32
			v32, n = protowire.ConsumeFixed32(message)
			v = uint64(v32)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(message)
		case protowire.BytesType:
			b, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return
		}
		use(number, v, b)
		message = message[n:]
	}
}

// bytesField returns the last value of a text field.
func bytesField(message []byte, want protowire.Number) (text string) {
	fields(message, func(number protowire.Number, _ uint64, b []byte) {
		if number == want {
			text = string(b)
		}
	})
	return text
}

// packed returns the elements of a repeated number: one value, or bytes that hold elements of width
// bytes each (0: varints). Two elements are enough to see that it is no scalar.
func packed(v uint64, b []byte, width int) []uint64 {
	if b == nil {
		return []uint64{v}
	}
	var out []uint64
	for len(b) > 0 && len(out) < 2 {
		var n int
		switch width {
		case 4:
			var v32 uint32
			v32, n = protowire.ConsumeFixed32(b)
			v = uint64(v32)
		case 8:
			v, n = protowire.ConsumeFixed64(b)
		default:
			v, n = protowire.ConsumeVarint(b)
		}
		if n < 0 {
			return nil
		}
		out, b = append(out, v), b[n:]
	}
	return out
}
