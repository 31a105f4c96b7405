"""Bad inputs of the programs that look and list: prepare, analyze, benchmark, configs, zoo."""

from tests.cli.bad_inputs.row import Bad

__all__ = ['LOOKING']

_PREPARE = [
    Bad(f'prepare {command}', said, status)
    for command, said, status in (
        ('nowhere', 'nowhere is not there; give the folder of the data, or a zip file', 1),
        ('empty', r'empty is of no known form \(it is empty\): looked for COCO annotations', 1),
        ('coco/annotations/train.json', 'is a file; give the folder', 1),
        ('coco --convert yolo', 'is not laid out as YOLO does it', 1),
        ('coco --convert voc', 'is not laid out as Pascal VOC', 1),
        ('coco --convert labelme --out new', 'nothing of all can be read', 1),
        ('coco --convert masks --out new', 'has no masks', 1),
        ('coco --convert coc', 'invalid choice', 2),
        ('coco --out new --write-fixed newer', 'give one', 2),
        ('coco --val-share 0.2', '--val-share goes with --out or --write-fixed', 2),
        ('coco --val-share 0.2 --out new', 'divides a folder without splits', 2),
        ('coco --val-share 1 --out new', 'a number between 0 and 1', 2),
        ('maps --no-crowds', '--no-crowds goes with boxes and masks, and maps holds label maps', 2),
        ('coco --json coco/report.json', 'would lie in the data', 2),
        ('coco --write-fixed coco/fixed', 'would lie in the data', 2),
        ('coco --write-fixed taken', 'taken exists: choose another folder', 2),
        ('coco --json taken/mine.txt', r'mine\.txt exists', 2),
        ('coco --write-fixed new --json new/report.json', 'would lie in new, a new folder', 2),
        ('coco --json a.png --picture ./a.png', r'--json and --picture are both a\.png', 2),
        (
            'zips/whole.zip --unpack new --json zips/whole.zip --overwrite',
            'is read by this comma',
            2,
        ),
        ('coco --picture a.doc', 'a picture ends in one of', 2),
        ('coco --unpack new', '--unpack goes with a zip file', 2),
        ('zips/text.zip', 'is a zip file: name a new folder for it with --unpack', 2),
        ('zips/text.zip --unpack new', 'is no zip file or is damaged', 1),
        ('zips/nowhere.zip --unpack new', 'is not there; give a zip file', 1),
        ('zips/out.zip --unpack new', r'\.\./', 1),
        ('torn', 'is cut off at line 1', 1),
        ('list', 'is not COCO: its JSON is a list', 1),
        ('bare', 'its list of categories is empty', 1),
    )
]

_ANALYZE = [
    Bad(f'analyze {command}', said, status)
    for command, said, status in (
        ('rank --out a.png', '--random-layers', 2),
        ('rank regnetx_200mf --out a.png', '--images', 2),
        ('rank regnetx_200mf --random-layers --out a.png', 'no network', 2),
        ('rank regnetx_200mf --images empty --out a.png', 'no image below', 1),
        ('rank regnetx_201mf --images images --out a.png', 'regnetx_200mf', 2),
        ('rank --random-layers --out mine.png', r'mine\.png exists: .* pass --overwrite', 2),
        ("rank regnetx_200mf --images images --weights '' --out a.png", "'' is empty", 2),
        (
            'cam images/0.png --network rexnet_1.0 --weights files/boxes.pth --out a.png',
            'boxes.pth',
            1,
        ),
        ('rank --random-layers', 'required: --out', 2),
        ('rank --random-layers --device cpu --out a.png', '--random-layers takes no net', 2),
        ('features images/0.png --network regnetx_200mf --device x --out a.png', "device 'x'", 2),
        ('features nowhere.png --network regnetx_200mf --out a.png', r'nowhere\.png', 1),
        ('features mine.png --network regnetx_200mf --out a.png', r'mine\.png', 1),
        ('features images/0.png --network x --out a.png', 'names', 2),
        ('features images/0.png --out a.png', '--network', 2),
        (
            'features images/0.png --network regnetx_200mf --weights nowhere.pth --out a.png',
            r'nowhere\.pth',
            1,
        ),
    )
]

_BENCHMARK = [
    Bad(f'benchmark {command}', said)
    for command, said in (
        ('backbone rexnet_1.1', 'did you mean'),
        ('backbone rexnet_1.0 --shape 3x224', 'is no shape: give images,'),
        ('backbone rexnet_1.0 --shape 1x4x64x64', '3 channels'),
        (
            'backbone rexnet_1.0 --shape 99999x3x900x900',
            r'would need at least [\d.]+ GB, and [\d.]+ GB are free: give a smaller shape',
        ),
        ('backbone rexnet_1.0 --against smp', "invalid choice: 'smp'"),
        ('backbone rexnet_1.0 --against onnxruntime', 'as --graph'),
        (
            'backbone rexnet_1.0 --shape 1x3x33x33 --threads 1 --rounds 1 --allocator default '
            '--against timm --peer-python nowhere/python',
            '--peer-python nowhere/python: No such file',
        ),
        ('backbone rexnet_1.0 --json mine.json', r'mine\.json exists'),
        ('import --rounds 0', 'give a whole number above 0'),
        ('import --kept nowhere.json', r'nowhere\.json is no file of figures'),
        ('import --kept files/deep.json', r'deep\.json is no file of figures'),
        ('imports', "invalid choice: 'imports'"),
    )
]

_LISTS = [
    Bad('', 'arguments are required: PROGRAM'),
    Bad('--versoin', "unknown option '--versoin'|required"),
    Bad('configs mask-rcn', "no config fits 'mask-rcn'"),
    Bad('configs --names --paths', 'not allowed with'),
    Bad('zoo --family rexnt', "did you mean 'rexnet'"),
    Bad('zoo --max-params many', 'many'),
    Bad('zoo --sort size', "invalid choice: 'size'"),
    Bad('zoo --plot a.png --measure', 'not allowed with'),
    Bad('zoo --measure --family rexnet', 'are for the printed table'),
    Bad("zoo --weights ''", "--weights: '' is empty"),
    Bad('zoo --weights vgg', "no published weights fit 'vgg'"),
    Bad('zoo --plot mine.png', r'mine\.png exists'),
    Bad('zoo --page nowhere.md', r'nowhere\.md'),
    Bad('zoo --page mine.txt', r'mine\.txt'),
    Bad('completion fish', "invalid choice: 'fish'"),
    Bad('shapes new --size 0,64', "'0,64' is no size"),
    Bad('shapes new --train 0', 'train'),
    Bad('shapes new --train -3', 'train'),
    Bad('shapes new --seed -1', 'seed'),
    Bad('shapes mine.txt', r'mine\.txt', 1),
    Bad('shapes taken', 'taken', 1),
]

LOOKING = [*_PREPARE, *_ANALYZE, *_BENCHMARK, *_LISTS]
