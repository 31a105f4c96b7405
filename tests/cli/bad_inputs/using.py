"""Bad inputs of the programs that use what was trained: test, predict, export, convert."""

from tests.cli.bad_inputs.row import Bad

__all__ = ['USING']

_COCO_OPTION = 'goes with folders in COCO form; images, '
_WINDOWS = 'test SEGMENTOR files/labels.pth --data-root maps RUN --cfg-options'

_TEST = [
    Bad('test DETECTOR', 'arguments are required: checkpoint'),
    Bad('test DETECTOR nowhere.pth --data-root shapes RUN', r'nowhere\.pth is not there', 1),
    Bad(
        f'test DETECTOR files/boxes.pth --data-root {300 * "a"} RUN',
        'is longer than the system allows: give a shorter path',
    ),
    Bad('test DETECTOR files/text.pth --data-root shapes RUN', r'files/text\.pth', 1),
    Bad('test DETECTOR files/cut.pth --data-root shapes RUN', r'files/cut\.pth', 1),
    Bad(
        'test DETECTOR files/boxes.pth --data-root shapes RUN',
        "has no class 'a', 'b', 'c', whic",
        1,
    ),
    Bad('test DETECTOR files/boxes.pth --data-root nowhere RUN', 'nowhere is not there', 1),
    Bad(
        'test CLASSIFIER files/class.pth --data-root folders SMALL --flip-test',
        '--flip-test does not go with classifiers; leave it out',
    ),
    Bad(
        'test DETECTOR files/boxes.pth --data-root shapes RUN --split test',
        '--split test goes with .* --val-annotations says which file is mea',
    ),
    Bad(
        'test DETECTOR files/boxes.pth --data-root shapes RUN --classes cross',
        'are not those of',
        logs=True,
    ),
    Bad(
        'test DETECTOR files/shapes.pth --data-root shapes RUN --out taken/mine.txt',
        r'mine\.txt exists',
    ),
    *(
        Bad(
            f'test SEGMENTOR files/labels.pth --data-root maps RUN {option} x',
            f'{option} {_COCO_OPTION}',
        )
        for option in ('--images', '--train-annotations', '--val-annotations')
    ),
    *(
        Bad(
            f'test SEGMENTOR files/labels.pth --work-dir run --device cpu {option} x',
            f'{option} goes with --data-root; give the folder',
        )
        for option in ('--split', '--val-annotations', '--classes')
    ),
    *(
        Bad(f'{_WINDOWS} {values}', said, logs=True)
        for values, said in (
            ('model.test_cfg.mode=slyde', r"model\.test_cfg\.mode='slyde': did you mean 'slide'"),
            ('model.test_cfg.mode=slide', 'crop_size=None: mode=slide takes height and width in '),
            (
                'model.test_cfg.mode=slide model.test_cfg.crop_size=[32,32]',
                'stride=None: mode=slide takes',
            ),
            (
                'model.test_cfg.mode=slide model.test_cfg.crop_size=32 model.test_cfg.stride=16',
                'crop_size=32: mode=slide takes',
            ),
            (
                'model.test_cfg.mode=slide model.test_cfg.crop_size=[8,8] '
                'model.test_cfg.stride=[8,9]',
                r'stride=\[8, 9\] leaves gaps between',
            ),
        )
    ),
    Bad(
        'test SEGMENTOR files/labels.pth --data-root maps RUN --out taken', 'is not empty: give an'
    ),
    Bad(
        'test SEGMENTOR files/labels.pth --data-root maps RUN --show-dir taken', 'is not empty: gi'
    ),
    Bad(
        'test CLASSIFIER files/class.pth --data-root folders-white SMALL --cfg-options NARROW',
        r"not among the 3 of the model .*first 'white'",
        1,
    ),
    Bad(
        'test CLASSIFIER files/class.pth --data-root folders SMALL --split more --cfg-options '
        'NARROW test_dataloader.dataset.ann_file=val.txt',
        '--split more goes with folders by class; this',
    ),
]

_PREDICT = [
    Bad(f'predict files/{checkpoint} {images} --device cpu --out-dir {out}', said, status)
    for checkpoint, images, out, said, status in (
        ('boxes.pth', 'nowhere', 'out', 'nowhere is not there; give an image or a folder', 1),
        ('boxes.pth', 'empty', 'out', r'no image in .*; looked for \.jpg, \.jpeg, \.png', 1),
        ('class.pth', 'folders/val', 'out', 'no image in .*; folders inside it are not looked', 1),
        ('boxes.pth', 'mine.txt', 'out', r'mine\.txt', 1),
        ('weights.pth', 'images', 'out', r'weights\.pth holds no config; give a check', 1),
        ('text.pth', 'images', 'out', r'files/text\.pth', 1),
        ('cut.pth', 'images', 'out', r'files/cut\.pth', 1),
        ('code.pth', 'images', 'out', r'files/code\.pth', 1),
        ('nowhere.pth', 'images', 'out', r'nowhere\.pth is not there', 1),
        ('class.pth', 'films/text.avi', 'out', r'text\.avi cannot be decoded', 1),
        ('class.pth', 'films/empty.avi', 'out', r'empty\.avi cannot be decoded', 1),
        ('class.pth', 'films/cut.avi', 'out', r'cut\.avi cannot be decoded', 1),
        ('labels.pth', 'images', 'images', 'is the folder of the images; choose another', 2),
        ('labels.pth', 'images', 'mine.txt', r'mine\.txt', 2),
        (
            'labels.pth',
            'images',
            'out --scales 1,3',
            'has no output at stride 3; it has 1, 2, 4',
            2,
        ),
        (
            'labels.pth',
            'images',
            'out --scales some',
            "'some': give all, or output strides such",
            2,
        ),
        (
            'class.pth',
            'images',
            'out --flip-test',
            'ImageClassifier has no flip test: detectors',
            2,
        ),
        ('labels.pth', 'images', 'out --score 0.5', '--score goes with detectors; leave it out', 2),
        (
            'labels.pth',
            'images',
            'out --depth-format npy',
            '--depth-format goes with depth esti',
            2,
        ),
        (
            'labels.pth',
            'films/whole.avi',
            'out --scales all',
            '--scales goes with images, not wi',
            2,
        ),
        ('class.pth', 'images', 'out --score 0.5', '--score goes with detectors; leave it out', 2),
        ('class.pth', 'images', 'out --scales all', 'has a single output|outputs', 2),
        (
            'class.pth',
            'images',
            'out --one-per-object',
            '--one-per-object goes with detectors; l',
            2,
        ),
        ('boxes.pth', 'images', 'out --score 30', "'30': give a number from 0 to 1", 2),
        ('boxes.pth', 'images', 'out --batch-size 0', "'0': give a whole number above 0", 2),
        ('boxes.pth', 'images', 'out --device npu', "device 'npu' is not here: torch_npu", 2),
    )
] + [Bad('predict files/boxes.pth images', 'arguments are required: --out-dir')]

_EXPORT = [
    Bad(f'export {command}', said, status)
    for command, said, status in (
        ('neck WEIGHTS --format onnx --out a.onnx', "invalid choice: 'neck'", 2),
        ('backbone WEIGHTS --format tflite --out a', "--format: invalid choice: 'tfl", 2),
        ('backbone WEIGHTS --out a.onnx', 'required: --format', 2),
        ('classifier WEIGHTS --format timm --out a.pth', "invalid choice: 'timm'", 2),
        ('backbone WEIGHTS --format timm --out a.pth', "invalid choice: 'timm'", 2),
        ('weights WEIGHTS --format onnx --out a.onnx', "invalid choice: 'onnx'", 2),
        ('detector WEIGHTS --format torchscript --out a.pt', "choice: 'torchscript'", 2),
        ('segmentor WEIGHTS --format onnx --out a.onnx --arch x', "unknown option '--arch'", 2),
        ('weights WEIGHTS --format timm --out a.pth --opset 20', "unknown option '--opset'", 2),
        (
            'backbone WEIGHTS --format torchscript --out a.pt --opset 20',
            '--opset goes with --format onnx, not with torchscript',
            2,
        ),
        (
            'classifier WEIGHTS --format onnx --out a.onnx --out-indice 1',
            "option '--out-indice'",
            2,
        ),
        (
            "backbone WEIGHTS --format onnx --out a.onnx --out-indices '1;2'",
            "'1;2': give indices of levels, such as 1,2,3,4 for c2 to c5",
            2,
        ),
        ('backbone WEIGHTS --format onnx --out a.onnx --out-indices 1,7', '7 is no level', 2),
        (
            'backbone WEIGHTS --format onnx --out a.onnx --size 32,32',
            'size=32,32: height and width of the example are at least 64',
            2,
        ),
        (
            'backbone WEIGHTS --format onnx --out a.onnx --opset 7',
            'opset 7: versions 18 to 23 of',
            2,
        ),
        ('backbone WEIGHTS --format onnx --out a.pt', r'the name of a onnx file ends in \.onnx', 2),
        ('backbone WEIGHTS --format onnx --out no/a.onnx', 'make the folder ', 2),
        ('backbone WEIGHTS --format onnx --out WEIGHTS', 'is read by this command', 2),
        ('backbone WEIGHTS --format onnx --out files', 'files is a folder', 2),
        ('backbone no.pth --format onnx --out a.onnx', r'no\.pth is not there', 1),
        (
            'backbone WEIGHTS --format onnx --out a.onnx --arch rexnet_1.1',
            r"no backbone is called 'rexnet_1\.1'",
            2,
        ),
        ('backbone WEIGHTS --format onnx --out a.onnx --arch rexnet_1.3', r'rexnet_1\.0', 1),
        (
            'segmentor WEIGHTS --format onnx --out a.onnx',
            'holds no config; give a checkpoint th',
            1,
        ),
        (
            'segmentor files/boxes.pth --format onnx --out a.onnx',
            'holds a FasterRCNN, which is no segmentor; the parts that rexdense export writes are',
            1,
        ),
        (
            'classifier files/boxes.pth --format onnx --out a.onnx',
            'has no classification head: export its backbone, segmentor or detector',
            1,
        ),
        ('weights files/text.pth --format timm --out a.pth', r'files/text\.pth', 1),
    )
]

_CONVERT = [
    Bad(f'convert {command}', said, status)
    for command, said, status in (
        ('WEIGHTS', 'arguments are required: dst', 2),
        ('nowhere.pth a.pth', r'nowhere\.pth is not there', 1),
        ('~nobody-here/a.pth a.pth', 'begins with ~ and a name that is no user', 2),
        ('files/empty.pth a.pth', r'files/empty\.pth', 1),
        ('files/code.pth a.pth', r'files/code\.pth', 1),
        ('files/stranger.pth a.pth', r'files/stranger\.pth', 1),
        ('files/claims.safetensors a.pth', r'claims\.safetensors', 1),
        ('WEIGHTS a.bin', r'a\.bin', 2),
        ('WEIGHTS WEIGHTS --overwrite', 'is read by this command', 2),
        ('WEIGHTS mine.pth', r'mine\.pth exists', 2),
        ('WEIGHTS a.pth --format keras', "invalid choice: 'keras'", 2),
        ('WEIGHTS a.pth --source mindcv', 'mindcv', 1),
        ('files/nan.pth a.pth', 'nan|NaN|infinite', 1),
    )
]

USING = [*_TEST, *_PREDICT, *_EXPORT, *_CONVERT]
