//! Conversion of images that are not bytes: a line that people paste into a shell, since which
//! numbers become which bytes is theirs to know.

use std::path::Path;

/// Python's standard library alone: reads a folder of IDX files, maps the pixels of all its images
/// from their least to their largest number onto 0 to 255, and writes the folder `FOLDER-bytes`.
const SCRIPT: &str = r"import array,gzip,os,sys;i=sys.argv[1].rstrip('/');o=i+'-bytes';os.makedirs(o);r=lambda b:gzip.decompress(b) if b[:2]==b'\x1f\x8b' else b;F={n:r(open(i+'/'+n,'rb').read()) for n in os.listdir(i) if os.path.isfile(i+'/'+n)};V={n:array.array({8:'B',9:'b',11:'h',12:'i',13:'f',14:'d'}[b[2]],b[4+4*b[3]:]) for n,b in F.items() if 'images' in n.lower() and b[:2]==b'\0\0'};sys.byteorder=='little' and [v.byteswap() for v in V.values()];l=min(map(min,V.values()));h=max(map(max,V.values()));[open(o+'/'+n.replace('.gz',''),'wb').write(b'\0\0\x08'+b[3:4+4*b[3]]+bytes(round(255*(x-l)/(h-l)) for x in V[n]) if n in V else b) for n,b in F.items()]";

/// The line for the folder of an image file.
pub(super) fn command(images: &Path) -> String {
    let folder = images.parent().unwrap_or(Path::new("."));
    let folder = folder.display().to_string().replace('\'', r"'\''");
    format!("python3 -c \"{SCRIPT}\" '{folder}'")
}
