//! Conversion of images that are not bytes, and of labels that are not numbers of classes: a line that
//! people paste into a shell, since what which number stands for is theirs to know.

use std::path::Path;

/// Python's standard library alone: reads a folder of IDX files as `F`, by name, and the numbers of those
/// whose name has `WHAT` in it as `V`. It ends if the folder `FOLDER-ENDING` is there already.
const READ: &str = r"import array,gzip,os,sys;i=sys.argv[1].rstrip('/');o=i+'-ENDING';os.makedirs(o);r=lambda b:gzip.decompress(b) if b[:2]==b'\x1f\x8b' else b;F={n:r(open(i+'/'+n,'rb').read()) for n in os.listdir(i) if os.path.isfile(i+'/'+n)};V={n:array.array({8:'B',9:'b',11:'h',12:'i',13:'f',14:'d'}[b[2]],b[4+4*b[3]:]) for n,b in F.items() if 'WHAT' in n.lower() and b[:2]==b'\0\0'};sys.byteorder=='little' and [v.byteswap() for v in V.values()];";

/// Maps the pixels of all images from their least to their largest number onto 0 to 255.
const IMAGES: &str = r"l=min(map(min,V.values()));h=max(map(max,V.values()));[open(o+'/'+n.replace('.gz',''),'wb').write(b'\0\0\x08'+b[3:4+4*b[3]]+bytes(round(255*(x-l)/(h-l or 1)) for x in V[n]) if n in V else b) for n,b in F.items()]";

/// Numbers the classes from 0: by the place of the largest number in each row, or, of rows of one number, by
/// the order of all numbers that occur.
const LABELS: &str = r"k={n:len(v)//max(1,int.from_bytes(F[n][4:8],'big')) for n,v in V.items()};C={n:[max(range(k[n]),key=lambda c:v[r+c]) for r in range(0,len(v),k[n])] if k[n]>1 else v for n,v in V.items()};U={x:j for j,x in enumerate(sorted({x for c in C.values() for x in c}))} if max(k.values())<2 else range(1000);[open(o+'/'+n.replace('.gz',''),'wb').write(b'\0\0\x0b\1'+b[4:8]+b''.join(U[x].to_bytes(2,'big') for x in C[n]) if n in V else b) for n,b in F.items()]";

/// The line for the folder of an image file.
pub(crate) fn images_command(images: &Path) -> String {
    command(images, "images", "bytes", IMAGES)
}

/// The line for the folder of a file of labels.
pub(crate) fn labels_command(labels: &Path) -> String {
    command(labels, "labels", "classes", LABELS)
}

fn command(file: &Path, what: &str, ending: &str, write: &str) -> String {
    let folder = file.parent().unwrap_or(Path::new("."));
    let folder = folder.display().to_string().replace('\'', r"'\''");
    let read = READ.replace("WHAT", what).replace("ENDING", ending);
    format!("python3 -c \"{read}{write}\" '{folder}'")
}
