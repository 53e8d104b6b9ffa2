use super::*;

const GPT_4O: Vision = Vision::Tiles { image: 85, tile: 170 };
const GPT_5_MINI: Vision = Vision::Patches { factor: 1.2, most: 1536, marks: 2 };

fn size(width: u32, height: u32) -> Size {
    Size { width, height }
}

/// Of an image file, the head of it that says its size.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes
}

#[test]
fn tiles_are_counted_as_published() {
    assert_eq!(tokens(GPT_4O, size(1024, 1024), false), 765);
    assert_eq!(tokens(GPT_4O, size(2048, 4096), false), 1105);
    assert_eq!(tokens(GPT_4O, size(4096, 8192), true), 85);
    assert_eq!(tokens(GPT_4O, size(1, 1), false), 255);
}

#[test]
fn patches_are_counted_as_published_and_billed() {
    assert_eq!(tokens(GPT_5_MINI, size(400, 301), false), 158);
    assert_eq!(tokens(GPT_5_MINI, size(597, 566), false), 413);
    let plain = Vision::Patches { factor: 1.0, most: 1536, marks: 0 };
    assert_eq!(tokens(plain, size(1024, 1024), false), 1024);
    assert_eq!(tokens(plain, size(1800, 2400), false), 1452);
    assert!(tokens(plain, size(60_000, 10), false) <= 1536);
    assert!(tokens(plain, size(u32::MAX, u32::MAX), false) <= 1536);
}

#[test]
fn sizes_are_read_from_the_head_of_a_file() {
    assert_eq!(size_in_file(&png(640, 480)), Some(size(640, 480)));
    assert_eq!(size_in_file(b"GIF89a\x40\x01\xc8\x00"), Some(size(320, 200)));
    let jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x01\x00\x02\x00\x03";
    assert_eq!(size_in_file(jpeg), Some(size(512, 256)));
    let extended = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x8f\x01\x00\x2b\x01\x00";
    assert_eq!(size_in_file(extended), Some(size(400, 300)));
    let lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x8f\xc1\x4a\x00";
    assert_eq!(size_in_file(lossless), Some(size(400, 300)));
    let lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x90\x01\x2c\x01";
    assert_eq!(size_in_file(lossy), Some(size(400, 300)));
}

#[test]
fn what_is_no_image_has_no_size() {
    for bytes in [&b""[..], b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\xff\xff", b"%PDF-1.4", b"GIF89a", &png(0, 5)]
    {
        assert_eq!(size_in_file(bytes), None, "{bytes:?}");
    }
}

#[test]
fn only_base64_data_urls_are_read() {
    let base64 = b"data:image/gif;base64,R0lGODlhQAHIAIAAAAAAAP";
    assert_eq!(size_in_url(base64), Some(size(320, 200)));
    // As a JSON string may hold it.
    assert_eq!(size_in_url(br"data:image/jpeg;base64,\/9j\/4AAEYWL\/wAARCAEAAgAD"), Some(size(512, 256)));
    assert_eq!(size_in_url(b"https://example.com/a.png"), None);
    assert_eq!(size_in_url(b"data:image/gif,R0lGODlhQAHIAA"), None);
    assert_eq!(size_in_url(b"data:"), None);
}
